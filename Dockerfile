# Lockstep's image: Node without a shell, and the bundle in /app. docs/image.md says how migrations are added.
# Both base images can be replaced: docker build --build-arg RUNTIME_IMAGE=registry.example.com/nodejs24-debian13:nonroot .
ARG BUILD_IMAGE=docker.io/library/node:24-bookworm-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot
ARG BUN_RUNTIME_IMAGE=gcr.io/distroless/base-nossl-debian13:nonroot

# What it makes runs on every processor, so it is made once, on the builder's own.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
# An .npmrc, where npm packages come from a registry of one's own, is given as a secret: it is in no layer.
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=cache,target=/root/.npm \
    npm ci --ignore-scripts && npm rebuild esbuild
COPY . .
RUN node scripts/build.ts --only-command \
 && mkdir -p /out/app /out/migrations \
 && cp dist/* LICENSE /out/app/ \
 && chmod -R a=rX /out/app \
 && chmod 0755 /out/migrations

# The second image, by --target bun: the same sources as one executable, with Bun in it instead of Node. docs/image.md says
# what differs. Bun makes it of its own binary, so it is built on the processor that it is for, or one that is emulated.
FROM --platform=$TARGETPLATFORM ${BUILD_IMAGE} AS bun-build
WORKDIR /src
COPY package.json package-lock.json ./
COPY scripts/build/bun/package.json scripts/build/bun/package-lock.json scripts/build/bun/
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=cache,target=/root/.npm \
    npm ci --ignore-scripts && npm rebuild esbuild && npm ci --ignore-scripts --prefix scripts/build/bun
COPY . .
RUN node scripts/build-bun.ts \
 && mkdir -p /out/app /out/migrations \
 && cp dist-bun/* LICENSE /out/app/ \
 && chmod -R a=rX /out/app \
 && chmod 0755 /out/migrations

# It links to the C library and nothing else, and needs /proc, which every container has.
FROM --platform=$TARGETPLATFORM ${BUN_RUNTIME_IMAGE} AS bun
COPY --from=bun-build /out /
ENV LOCKSTEP_DIR=/migrations
USER 65532:65532
ENTRYPOINT ["/app/lockstep"]
ARG VERSION=0.2.0
LABEL org.opencontainers.image.title="Lockstep" \
      org.opencontainers.image.description="PostgreSQL migrations for Kubernetes: every replica may run them, exactly one does" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"

# What V8 keeps of a run with nothing to do, made by the very Node that will use it; where that is for another processor
# than the builder's, it finds no cache of its own, and works without.
FROM --platform=$BUILDPLATFORM ${RUNTIME_IMAGE} AS cache
USER 0:0
COPY --from=build /out /out
COPY --from=build /src/scripts/build/code-cache.ts /scripts/code-cache.mts
RUN ["/nodejs/bin/node", "/scripts/code-cache.mts", "/out/app"]

# The same as without --platform, but for an older buildah, which would stay on the platform of the stage before.
FROM --platform=$TARGETPLATFORM ${RUNTIME_IMAGE}
COPY --from=cache /out /
ENV LOCKSTEP_DIR=/migrations
# A number, so that Kubernetes can see that it is not root. Any other one works too.
USER 65532:65532
# Behind -- no flag of ours is Node's, which has an --env-file of its own. V8's space for new objects would otherwise grow
# with the machine's memory: 4 MB cost no time, and 50,000 files need 118 MB instead of 179.
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=4", "--", "/app/lockstep.mjs"]
# Equal to the version in package.json.
ARG VERSION=0.2.0
LABEL org.opencontainers.image.title="Lockstep" \
      org.opencontainers.image.description="PostgreSQL migrations for Kubernetes: every replica may run them, exactly one does" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
