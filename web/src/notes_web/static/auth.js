// Who is signed in: authorization code with PKCE against any OIDC issuer. Tokens are in memory only; a reload signs in
// anew. Without `oidc` nothing here does anything, and the library is not even loaded.

import { computed, signal } from "./html.js";

/** null until known; `{sub, name, scopes}`; or false: nobody, though the services ask for it. */
export const person = signal(null);
export const mayWrite = computed(() => allows("notes.write"));
export const mayAdminister = computed(() => allows("notes.admin"));

let settings = null;
let jwtDecode = null;
let manager = null;
let current = null;
let renewing = null;

const allows = (scope) => person.value !== null && person.value !== false &&
  (person.value.scopes === null || person.value.scopes.includes(scope));

/** Find out who is signed in, finishing a sign-in that comes back to /callback. Return where it began, or null. */
export async function beginSession(config) {
  if (config.auth !== "oidc") {
    person.value = { sub: null, name: null, scopes: null };
    return null;
  }
  settings = config;
  const loading = managed();
  if (location.pathname !== "/callback") {
    person.value = false;
    loading.catch((error) => console.info("nobody can sign in yet", error)); // whoever tries to is told
    return null;
  }
  const user = await (await loading).signinRedirectCallback();
  signedIn(user);
  return user.state?.from ?? "/";
}

async function managed() {
  if (manager) return manager;
  const { InMemoryWebStorage, UserManager, WebStorageStateStore } = await import("./vendor/oidc-client-ts.js");
  ({ jwtDecode } = await import("./vendor/jwt-decode.js"));
  manager = new UserManager({
    authority: settings.oidc_issuer,
    client_id: settings.oidc_client_id,
    scope: settings.oidc_scope,
    redirect_uri: `${location.origin}/callback`,
    post_logout_redirect_uri: `${location.origin}/`,
    response_type: "code",
    automaticSilentRenew: false, // that needs a frame; a refresh token is used when a request needs it
    loadUserInfo: false,
    userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
    stateStore: new WebStorageStateStore({ store: sessionStorage }),
  });
  return manager;
}

function signedIn(user) {
  current = user;
  const claims = claimsOf(user.access_token);
  const scopes = claims?.scope?.split?.(" ") ?? claims?.scp ?? user.scope?.split(" ") ?? [];
  const sub = user.profile?.sub ?? claims?.sub ?? null;
  person.value = { sub, name: user.profile?.name ?? user.profile?.preferred_username ?? sub, scopes };
}

// Only to show what the services will allow; they check the token, this does not.
function claimsOf(token) {
  try {
    return jwtDecode(token);
  } catch {
    return null; // a token need not be a JWT
  }
}

/** Go to the issuer, and come back to where the page is now. Raises Error: it cannot be reached. */
export async function signIn() {
  const from = location.pathname === "/callback" ? "/" : location.pathname + location.search;
  await (await managed()).signinRedirect({ state: { from } });
}

/** Ask nothing in the name of who was signed in any more. */
export function forgetPerson() {
  current = null;
  person.value = false;
}

/**
 * Leave the page, for the issuer where it says how a session ends: it comes back from there. Where it does not, whoever
 * signs in next on this device may still be let in by it without a password.
 */
export async function signOut() {
  forgetPerson();
  try {
    if (await manager.metadataService.getEndSessionEndpoint()) {
      await manager.signoutRedirect();
      return;
    }
    await manager.removeUser();
  } catch (error) {
    console.info("the issuer was not told", error);
  }
  location.assign("/");
}

/** Return the token to ask with, renewed if it is about to expire; null where there is none. */
export async function accessToken() {
  if (current?.refresh_token && current.expires_in < 10) await renewed(current.access_token);
  return current?.access_token ?? null;
}

// An answer of the issuer that says no for good; one that does not come, or an error of its own, may be another next time.
const isFinal = (error) => error.name === "ErrorResponse" && !["server_error", "temporarily_unavailable"].includes(error.error);

/** Renew after `refused`; return whether there is another token now. Nobody is signed in any more if the issuer says no. */
export async function renewed(refused) {
  if (manager === null) return false;
  if (current && current.access_token !== refused) return true;
  renewing ??= (async () => {
    try {
      const user = current?.refresh_token ? await manager.signinSilent() : null;
      if (user && current) signedIn(user);
      else forgetPerson();
      return current !== null;
    } catch (error) {
      if (isFinal(error)) forgetPerson();
      return false;
    } finally {
      renewing = null;
    }
  })();
  return renewing;
}
