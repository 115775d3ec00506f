# syntax=docker/dockerfile:1

# Two images around one static binary:
#
#   docker build --target bridge -t mcpbridge .        for servers with a URL
#   docker build --target node -t mcpbridge:node .     also for npx servers
#
# Inside, the bridge listens on loopback as it does everywhere. To reach it,
# give it other addresses, and say that callers are not authenticated; whoever
# reaches a published port then uses every server, so publish on loopback:
#
#   docker run --read-only -p 127.0.0.1:8080:8080 -p 127.0.0.1:9090:9090 \
#     -e MCPBRIDGE_HTTP_ADDR=0.0.0.0:8080 -e MCPBRIDGE_GRPC_ADDR=0.0.0.0:9090 \
#     -e MCPBRIDGE_INSECURE_NO_AUTH=true mcpbridge
#
# Nothing is written to disk. npx does write: with --read-only the second image
# wants --tmpfs /home/node --tmpfs /tmp.

ARG GO_VERSION=1.26.8

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags='-s -w' -o /out/mcpbridge ./cmd/server

FROM node:22-bookworm-slim AS node
LABEL org.opencontainers.image.title="mcpbridge with Node" \
      org.opencontainers.image.description="MCP servers by gRPC and REST, with npx to run them" \
      org.opencontainers.image.source="https://github.com/mcpbridge/mcpbridge" \
      org.opencontainers.image.licenses="Apache-2.0"
# Certificates are for the bridge, since Node brings its own; tini collects the
# processes that MCP servers leave behind.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates tini \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/mcpbridge /usr/local/bin/mcpbridge
USER node
WORKDIR /home/node
EXPOSE 8080 8081 9090
HEALTHCHECK --interval=10s --timeout=6s --start-period=5s CMD ["mcpbridge", "health"]
ENTRYPOINT ["tini", "--", "mcpbridge"]

FROM gcr.io/distroless/static-debian12:nonroot AS bridge
LABEL org.opencontainers.image.title="mcpbridge" \
      org.opencontainers.image.description="MCP servers by gRPC and REST" \
      org.opencontainers.image.source="https://github.com/mcpbridge/mcpbridge" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/mcpbridge /usr/local/bin/mcpbridge
EXPOSE 8080 8081 9090
HEALTHCHECK --interval=10s --timeout=6s --start-period=5s CMD ["/usr/local/bin/mcpbridge", "health"]
ENTRYPOINT ["/usr/local/bin/mcpbridge"]
