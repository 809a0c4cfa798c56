import type { CodegenConfig } from "@graphql-codegen/cli";

/** Typed documents of the published operations, for the tests; a frontend can take this as it stands. */
const config: CodegenConfig = {
  schema: "schema/schema.graphql",
  documents: "schema/operations/*.graphql",
  silent: true,
  errorsOnly: true,
  generates: {
    "tests/support/generated/": {
      preset: "client",
      presetConfig: { fragmentMasking: false, persistedDocuments: true },
      config: {
        importExtension: ".ts",
        useTypeImports: true,
        enumsAsConst: true,
        strictScalars: true,
        scalars: { DateTime: "string" },
        immutableTypes: true,
      },
    },
  },
};

export default config;
