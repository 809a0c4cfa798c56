FROM node:24-slim

ENV NODE_ENV=production
WORKDIR /app

COPY .npmrc package.json package-lock.json ./
RUN npm ci --omit=dev && npm cache clean --force
COPY src ./src

USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]

# Node itself, not npm, so that it gets the signals. HTTP_API_URL has to be set.
CMD ["node", "src/main.ts"]
