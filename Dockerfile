FROM node:24-slim

ENV NODE_ENV=production
WORKDIR /app

COPY .npmrc package.json package-lock.json ./
COPY client/package.json ./client/
RUN npm ci --omit=dev && npm cache clean --force
COPY src ./src

USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]

# As `npm start`, but Node itself, so that it gets the signals. A small young generation (MiB) makes its collections short: they are the
# tail of the latency. HTTP_API_URL has to be set.
CMD ["node", "--max-semi-space-size=2", "src/main.ts"]
