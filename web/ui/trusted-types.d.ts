/** The part of the Trusted Types API that this page uses; TypeScript's DOM library does not have it. */
interface TrustedTypePolicyFactory {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): unknown }
}

declare var trustedTypes: TrustedTypePolicyFactory | undefined
