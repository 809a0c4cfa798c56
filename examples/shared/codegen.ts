import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  // Or a gateway that answers introspection: "http://localhost:8080/graphql".
  schema: "../../schema/schema.graphql",
  documents: "chat.graphql",
  generates: {
    "generated/": {
      preset: "client",
      presetConfig: { fragmentMasking: { unmaskFunctionName: "unmask" } },
      config: {
        importExtension: ".ts",
        useTypeImports: true,
        enumsAsConst: true,
        strictScalars: true,
        scalars: { DateTime: "string" },
      },
    },
  },
};

export default config;
