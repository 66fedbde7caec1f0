// Who is signed in: authorization code with PKCE against any OIDC issuer. Tokens are in memory only; a reload signs in
// anew. Without `oidc` nothing here does anything, and the library is not even loaded.

import { computed, signal } from "./html.js";

/** null until known; `{sub, name, scopes}`; or false: nobody, though the services ask for it. */
export const person = signal(null);
export const mayWrite = computed(() => allows("notes.write"));
export const mayAdminister = computed(() => allows("notes.admin"));

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
  const { InMemoryWebStorage, UserManager, WebStorageStateStore } = await import("./vendor/oidc-client-ts.js");
  manager = new UserManager({
    authority: config.oidc_issuer,
    client_id: config.oidc_client_id,
    scope: config.oidc_scope,
    redirect_uri: `${location.origin}/callback`,
    post_logout_redirect_uri: `${location.origin}/`,
    response_type: "code",
    automaticSilentRenew: false, // that needs a frame; a refresh token is used when a request needs it
    loadUserInfo: false,
    userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
    stateStore: new WebStorageStateStore({ store: sessionStorage }),
  });
  let from = null;
  if (location.pathname === "/callback") {
    const user = await manager.signinRedirectCallback();
    from = user.state?.from ?? "/";
    signedIn(user);
  } else {
    person.value = false;
  }
  return from;
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
    const text = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (one) => one.charCodeAt(0))));
  } catch {
    return null;
  }
}

/** Go to the issuer, and come back to where the page is now. */
export async function signIn() {
  const from = location.pathname === "/callback" ? "/" : location.pathname + location.search;
  await manager.signinRedirect({ state: { from } });
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

/** Renew after `refused`; return whether there is another token now. Nobody is signed in any more if not. */
export async function renewed(refused) {
  if (manager === null) return false;
  if (current && current.access_token !== refused) return true;
  renewing ??= (async () => {
    try {
      if (!current?.refresh_token) throw new Error("no refresh token");
      const user = await manager.signinSilent();
      if (!current) throw new Error("signed out meanwhile");
      signedIn(user);
      return true;
    } catch {
      if (current) current = null;
      person.value = false;
      return false;
    } finally {
      renewing = null;
    }
  })();
  return renewing;
}
