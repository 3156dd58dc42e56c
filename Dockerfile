# The image holds one program, the certificates of public authorities and database.yml:
# no shell, no secret. docs/operations.md says how it is run.
FROM --platform=$BUILDPLATFORM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags="-s -w" -o /heroes ./cmd/app

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/database.yml /heroes /
# Buffalo keeps a list of plugins in a file, unless it is told not to; here it could not.
ENV GO_ENV=production LOG_LEVEL=info BUFFALO_PLUGIN_CACHE=off
USER 65532:65532
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/heroes", "health"]
ENTRYPOINT ["/heroes"]
