"""A program as a stranger writes it, on what the ordinary generators make of the proto file. It makes a key, finds it
in the list, watches, revokes it, and prints what it saw."""
import os
import sys

import grpc
from postern.admin.v1 import key_admin_pb2 as pb
from postern.admin.v1 import key_admin_pb2_grpc as rpc

client = rpc.KeyAdminStub(grpc.insecure_channel(sys.argv[1]))
call = {"metadata": [("authorization", f"Bearer {os.environ['POSTERN_ADMIN_KEY']}")], "timeout": 120}

watch = client.WatchKeys(pb.WatchKeysRequest(types=["key.revoked"]), **call)
next(watch)  # the first answer says that the watch has begun
made = client.CreateKey(pb.CreateKeyRequest(name="Python", permissions=["read:bills"]), **call)
listed = client.ListKeys(pb.ListKeysRequest(name_contains="Python"), **call)
client.RevokeKey(pb.RevokeKeyRequest(id=made.key.id), **call)
told = next(change.target for change in watch if change.target == made.key.id)
try:
    client.GetKey(pb.GetKeyRequest(id="key_01k0c6h3v8s9w2m4n5p7q8r9t1"), **call)
    code = None
except grpc.RpcError as error:
    code = error.code().name
print(len(made.secret) > 20, listed.keys[0].id == made.key.id, told == made.key.id, code)
