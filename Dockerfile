# The digest is that of the index of all platforms.
ARG NODE=node:24.19.0-bookworm-slim@sha256:a9f5f7c91a432850b2a8a7797adf5eadb6c733ceed61167806cee7ea7fbc29df

# JavaScript from the sources.
FROM ${NODE} AS build
WORKDIR /app
COPY .npmrc package.json package-lock.json ./
COPY client/package.json client/
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY bin bin
COPY scripts scripts
COPY src src
RUN node scripts/build.ts

# What runs, and nothing else.
FROM ${NODE} AS dependencies
WORKDIR /app
COPY .npmrc package.json package-lock.json ./
COPY client/package.json client/
RUN npm ci --ignore-scripts --omit=dev && rm -rf client node_modules/graphql-chat-client

FROM ${NODE}
ENV NODE_ENV=production NODE_COMPILE_CACHE=/app/.compile-cache
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE THIRD_PARTY_NOTICES ./
# Compiles every module once, for a quicker start on a read-only file system.
RUN node --input-type=module --eval "for (const name of ['main', 'gateway', 'bus/redis/redis-bus', 'open-telemetry']) await import('./dist/src/' + name + '.js')"
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "--eval", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]

# Node.js itself is process 1: it gets the signals. The young generation has 16 MiB: see docs/OPERATIONS.md. HTTP_API_URL has to be set.
CMD ["node", "--max-semi-space-size=16", "--v8-pool-size=0", "dist/bin/graphql-chat-gateway.js"]
