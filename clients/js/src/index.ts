/** The client of the Portico daemon. */
export { authenticate, type Authenticated, type Rules } from "./authenticate.js";
export { safePath } from "./browser.js";
export type { CallOptions } from "./caller.js";
export { PorticoError } from "./errors.js";
export type * from "./events.js";
export type { FollowOptions } from "./follow.js";
export type { Jwt } from "./jwt.js";
export type { Login, LoginResult, LoginStep } from "./login.js";
export { Portico, type PorticoOptions } from "./portico.js";
export { SignIn, type BrowserLogin, type SignInOptions } from "./sign-in.js";
export type { components, operations, paths } from "./generated/openapi.js";
export type * from "./types.js";
export type { Condition, FoundUser, Users } from "./users.js";
export { verifyWebhook, type Delivery, type HeaderSource, type WebhookOptions } from "./webhook.js";
