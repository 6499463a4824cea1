export interface FrontendConfig {
  apiBaseUrl: string;
}

declare global {
  interface Window {
    __PIVOTAL_CONFIG__?: Partial<FrontendConfig>;
  }
}

/** Settings of this installation, from /config.js. */
export function readConfig(given: Partial<FrontendConfig> | undefined): FrontendConfig {
  const apiBaseUrl = given?.apiBaseUrl?.trim() || "/api/v1";
  return { apiBaseUrl: apiBaseUrl.replace(/\/+$/, "") };
}
