export * from "./schemas.js";
export * from "./stories.js";
