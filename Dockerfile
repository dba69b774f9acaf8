# The operator: one static binary, a CA bundle and nothing else.
#
#     docker build -t brownout .          (podman build, buildah bud: the same)
#
# A binary that was built elsewhere, static for the image's platform, goes in by another `build` context with
# the same two files under /out, and nothing is compiled:
#
#     docker build -t brownout --build-context build=DIR .

# musl's own C compiler and a CA bundle come with this image, and what it builds is static.
FROM rust:1.95-alpine AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release --package brownout --bin brownout \
 && install -D -t /out target/release/brownout /etc/ssl/certs/ca-certificates.crt

FROM scratch
COPY --from=build /out/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/brownout /brownout
# A number, not a name: there is no /etc/passwd, and runAsNonRoot can be checked.
USER 65532:65532
# metrics and health; the live JSON
EXPOSE 8080 8081
ENTRYPOINT ["/brownout"]
CMD ["controller"]
