// A program as a stranger writes it, on what the ordinary generators make of the proto file. It makes a key, finds it
// in the list, watches, revokes it, and prints what it saw.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	adminv1 "postern.dev/test/go-client/adminv1"
)

func main() {
	connection, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	client := adminv1.NewKeyAdminClient(connection)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+os.Getenv("POSTERN_ADMIN_KEY"))

	watch, err := client.WatchKeys(ctx, &adminv1.WatchKeysRequest{Types: []string{"key.revoked"}})
	check(err)
	// The first answer says that the watch has begun.
	_, err = watch.Recv()
	check(err)
	made, err := client.CreateKey(ctx, &adminv1.CreateKeyRequest{Name: "Go", Permissions: []string{"read:bills"}})
	check(err)
	listed, err := client.ListKeys(ctx, &adminv1.ListKeysRequest{NameContains: &made.Key.Name})
	check(err)
	_, err = client.RevokeKey(ctx, &adminv1.RevokeKeyRequest{Id: made.Key.Id})
	check(err)
	told := ""
	for told != made.Key.Id {
		change, err := watch.Recv()
		check(err)
		told = change.Target
	}
	_, err = client.GetKey(ctx, &adminv1.GetKeyRequest{Id: "key_01k0c6h3v8s9w2m4n5p7q8r9t1"})
	reason := ""
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			reason = info.Reason
		}
	}
	fmt.Println(len(made.Secret) > 20, listed.Keys[0].Id == made.Key.Id, told == made.Key.Id, reason)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
