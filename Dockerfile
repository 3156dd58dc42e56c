# The image contains one program, the certificates of public authorities and database.yml, but
# no shell and no secret. docs/operations.md says how to run it.
FROM --platform=$BUILDPLATFORM golang:1.26-alpine AS build
WORKDIR /src
COPY . .
ARG TARGETOS TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags="-s -w" -o /heroes ./cmd/app

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/database.yml /heroes /
# Without BUFFALO_PLUGIN_CACHE=off Buffalo writes a list of plugins to a file, which fails here.
ENV GO_ENV=production LOG_LEVEL=info BUFFALO_PLUGIN_CACHE=off
USER 65532:65532
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/heroes", "health"]
ENTRYPOINT ["/heroes"]
