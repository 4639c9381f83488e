// Requests to the server that this page came from.

let authorization = null;

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export async function ask(path, method = "GET") {
  const headers = authorization ? { Authorization: authorization } : {};
  const response = await fetch(path, { method, headers, credentials: "omit", cache: "no-store" });
  if (response.ok) return response;
  let detail = response.statusText;
  try {
    detail = (await response.json()).detail;
  } catch {
    // Somebody between us answered.
  }
  throw new Refused(response.status, detail);
}

export const get = async (path) => (await ask(path)).json();

export const order = (path) => ask(path, "POST");

// The password stays in this page alone, and is gone when the page is.
export function signIn(user, password) {
  const utf8 = new TextEncoder().encode(`${user}:${password}`);
  authorization = `Basic ${btoa(String.fromCharCode(...utf8))}`;
}

export const signOut = () => {
  authorization = null;
};
