// Command ext-authz is the benchmark's Go peer: the least that Go has to do to answer Envoy's Check.
// It reads SHA-256 digests into a map; a Check is one hash and one lookup. No states, limits, cache or store.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

const deniedBody = `{"error":{"code":"invalid_api_key","message":"The API key is not valid."}}`

type digest [sha256.Size]byte

type server struct {
	auth.UnimplementedAuthorizationServer
	keys map[digest]string
}

func (s *server) Check(_ context.Context, request *auth.CheckRequest) (*auth.CheckResponse, error) {
	secret, found := strings.CutPrefix(authorization(request), "Bearer ")
	if !found {
		return denied(), nil
	}
	id, known := s.keys[sha256.Sum256([]byte(secret))]
	if !known {
		return denied(), nil
	}
	return allowed(id), nil
}

// authorization reads the header in either form that Envoy sends: a map, or raw (encode_raw_headers).
func authorization(request *auth.CheckRequest) string {
	http := request.GetAttributes().GetRequest().GetHttp()
	if value, found := http.GetHeaders()["authorization"]; found {
		return value
	}
	for _, header := range http.GetHeaderMap().GetHeaders() {
		if header.GetKey() != "authorization" {
			continue
		}
		if raw := header.GetRawValue(); len(raw) > 0 {
			return string(raw)
		}
		return header.GetValue()
	}
	return ""
}

func allowed(id string) *auth.CheckResponse {
	return &auth.CheckResponse{
		Status: &status.Status{Code: int32(codes.OK)},
		HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{
			Headers: []*core.HeaderValueOption{
				header("x-postern-key-id", id),
				header("x-postern-owner", "bench"),
				header("x-postern-scheme", "postern"),
				header("x-postern-environment", "live"),
				header("x-postern-permissions", "read,write"),
			},
			HeadersToRemove: []string{"authorization"},
		}},
	}
}

func denied() *auth.CheckResponse {
	return &auth.CheckResponse{
		Status: &status.Status{Code: int32(codes.Unauthenticated)},
		HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: &auth.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode_Unauthorized},
			Headers: []*core.HeaderValueOption{
				header("www-authenticate", "Bearer"),
				header("content-type", "application/json"),
			},
			Body: deniedBody,
		}},
	}
}

func header(key, value string) *core.HeaderValueOption {
	return &core.HeaderValueOption{
		Header:       &core.HeaderValue{Key: key, Value: value},
		AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}

func readDigests(path string) (map[digest]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	keys := make(map[digest]string)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var key digest
		if n, err := hex.Decode(key[:], lines.Bytes()); err != nil || n != len(key) {
			return nil, fmt.Errorf("%s: line %d is not a SHA-256 digest in hex", path, len(keys)+1)
		}
		keys[key] = fmt.Sprintf("key_%022d", len(keys))
	}
	return keys, lines.Err()
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "host:port to answer Checks on")
	digests := flag.String("digests", "", "file of SHA-256 digests, hex, one a line")
	flag.Parse()
	keys, err := readDigests(*digests)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	grpcServer := grpc.NewServer()
	auth.RegisterAuthorizationServer(grpcServer, &server{keys: keys})
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	go func() {
		<-stop.Done()
		grpcServer.Stop()
	}()
	fmt.Printf("listening on %s with %d keys\n", listener.Addr(), len(keys))
	if err := grpcServer.Serve(listener); err != nil {
		log.Fatal(err)
	}
}
