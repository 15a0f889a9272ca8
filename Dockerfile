# Debian 12 with all that Quire needs:
#   docker build -t quire .
#   docker run --rm -it -v "$PWD:/quire" quire make run
FROM debian:12
COPY scripts/deps /usr/local/lib/quire-deps
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends make git ca-certificates \
 && /usr/local/lib/quire-deps --install \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /quire
CMD ["bash"]
