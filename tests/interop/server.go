// The interop service by grpc-go, with reflection v1alpha and without v1 (this release has no other).
//
//    usage: server [CERT KEY]
//
// Prints {"port": N} and ends when its standard input ends. servers.mjs generates ./testing and builds it.
package main

import (
    "context"
    "fmt"
    "io"
    "log"
    "net"
    "os"
    "strings"
    "sync"
    "time"

    "google.golang.org/grpc"
    "google.golang.org/grpc/codes"
    "google.golang.org/grpc/credentials"
    _ "google.golang.org/grpc/encoding/gzip"
    "google.golang.org/grpc/metadata"
    "google.golang.org/grpc/reflection"
    "google.golang.org/grpc/stats"
    "google.golang.org/grpc/status"

    "testing.local/testing"
)

// flags says of the messages of one call, in their order, which came compressed.
type flags struct {
    sync.Mutex
    list []bool
    next int
}

type flagsKey struct{}

// Take is whether the next message came compressed.
func (f *flags) Take() bool {
    f.Lock()
    defer f.Unlock()
    f.next++
    return f.list[f.next-1]
}

// watcher notes the flags; the server tells its handlers nothing of them.
type watcher struct{}

func (watcher) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
    return context.WithValue(ctx, flagsKey{}, &flags{})
}

func (watcher) HandleRPC(ctx context.Context, event stats.RPCStats) {
    if in, ok := event.(*stats.InPayload); ok {
        f := ctx.Value(flagsKey{}).(*flags)
        f.Lock()
        defer f.Unlock()
        f.list = append(f.list, in.WireLength != in.Length && in.WireLength != in.Length+5)
    }
}

func (watcher) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (watcher) HandleConn(context.Context, stats.ConnStats)                       {}

func checkFlag(ctx context.Context, expected *testing.BoolValue) error {
    compressed := ctx.Value(flagsKey{}).(*flags).Take()
    if expected != nil && expected.Value != compressed {
        return status.Errorf(codes.InvalidArgument, "expect_compressed is %v, the message's flag is %v", expected.Value, compressed)
    }
    return nil
}

func echoMetadata(ctx context.Context, setHeader, setTrailer func(metadata.MD)) {
    md, _ := metadata.FromIncomingContext(ctx)
    const initial, trailing = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
    if values := md.Get(initial); len(values) > 0 {
        setHeader(metadata.MD{initial: values})
    }
    if values := md.Get(trailing); len(values) > 0 {
        setTrailer(metadata.MD{trailing: values})
    }
}

func echoUnary(ctx context.Context) {
    echoMetadata(ctx,
        func(md metadata.MD) { grpc.SetHeader(ctx, md) },
        func(md metadata.MD) { grpc.SetTrailer(ctx, md) })
}

func echoStream(stream grpc.ServerStream) {
    echoMetadata(stream.Context(), func(md metadata.MD) { stream.SendHeader(md) }, stream.SetTrailer)
}

func endAsAsked(asked *testing.EchoStatus) error {
    if asked == nil {
        return nil
    }
    return status.Error(codes.Code(asked.Code), asked.Message)
}

type service struct {
    testing.UnimplementedTestServiceServer
}

func (service) EmptyCall(ctx context.Context, _ *testing.Empty) (*testing.Empty, error) {
    echoUnary(ctx)
    return &testing.Empty{}, nil
}

func payload(size int32) *testing.Payload {
    return &testing.Payload{Body: make([]byte, size)}
}

func (service) UnaryCall(ctx context.Context, request *testing.SimpleRequest) (*testing.SimpleResponse, error) {
    echoUnary(ctx)
    if err := checkFlag(ctx, request.ExpectCompressed); err != nil {
        return nil, err
    }
    if err := endAsAsked(request.ResponseStatus); err != nil {
        return nil, err
    }
    return &testing.SimpleResponse{Payload: payload(request.ResponseSize)}, nil
}

type outputStream interface {
    Send(*testing.StreamingOutputCallResponse) error
    Context() context.Context
}

func sendOutputs(stream outputStream, request *testing.StreamingOutputCallRequest) error {
    for _, parameters := range request.ResponseParameters {
        select {
        case <-time.After(time.Duration(parameters.IntervalUs) * time.Microsecond):
        case <-stream.Context().Done():
            return stream.Context().Err()
        }
        if err := stream.Send(&testing.StreamingOutputCallResponse{Payload: payload(parameters.Size)}); err != nil {
            return err
        }
    }
    return nil
}

func (service) StreamingOutputCall(request *testing.StreamingOutputCallRequest, stream testing.TestService_StreamingOutputCallServer) error {
    echoStream(stream)
    if err := sendOutputs(stream, request); err != nil {
        return err
    }
    return endAsAsked(request.ResponseStatus)
}

func (service) StreamingInputCall(stream testing.TestService_StreamingInputCallServer) error {
    echoStream(stream)
    size := 0
    for {
        request, err := stream.Recv()
        if err == io.EOF {
            return stream.SendAndClose(&testing.StreamingInputCallResponse{AggregatedPayloadSize: int32(size)})
        }
        if err != nil {
            return err
        }
        if err := checkFlag(stream.Context(), request.ExpectCompressed); err != nil {
            return err
        }
        size += len(request.Payload.GetBody())
    }
}

func (service) FullDuplexCall(stream testing.TestService_FullDuplexCallServer) error {
    echoStream(stream)
    for {
        request, err := stream.Recv()
        if err == io.EOF {
            return nil
        }
        if err != nil {
            return err
        }
        if err := endAsAsked(request.ResponseStatus); err != nil {
            return err
        }
        if err := sendOutputs(stream, request); err != nil {
            return err
        }
    }
}

func must(err error) {
    if err != nil {
        log.Fatal(err)
    }
}

func main() {
    options := []grpc.ServerOption{grpc.StatsHandler(watcher{}), grpc.MaxRecvMsgSize(64 << 20)}
    if len(os.Args) == 3 {
        creds, err := credentials.NewServerTLSFromFile(os.Args[1], os.Args[2])
        must(err)
        options = append(options, grpc.Creds(creds))
    }
    server := grpc.NewServer(options...)
    testing.RegisterTestServiceServer(server, &service{})
    reflection.Register(server)
    listener, err := net.Listen("tcp", "127.0.0.1:0")
    must(err)
    address := listener.Addr().String()
    fmt.Printf("{\"port\": %s}\n", address[strings.LastIndexByte(address, ':')+1:])
    go func() {
        io.Copy(io.Discard, os.Stdin)
        os.Exit(0)
    }()
    must(server.Serve(listener))
}
