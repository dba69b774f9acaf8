# The operator: one static binary, a CA bundle and nothing else.
#
# `make images` puts both into target/images/brownout, which is the context, and builds this file with buildah,
# podman or docker. By hand, after `make images` or with a static binary of your own in that folder:
#
#     docker build -t brownout:0.1.0 -f Dockerfile target/images/brownout          (podman, buildah: the same)
FROM scratch
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY brownout /brownout
# A number, not a name: there is no /etc/passwd, and runAsNonRoot can be checked.
USER 65532:65532
# metrics and health; the live JSON
EXPOSE 8080 8081
ENTRYPOINT ["/brownout"]
CMD ["controller"]
