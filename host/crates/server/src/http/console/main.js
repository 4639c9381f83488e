// Asks for the figures once a second while somebody looks.

import { Refused, get, signIn, signOut } from "./api.js";
import * as commands from "./commands.js";
import { byId, tell, write } from "./dom.js";
import { span } from "./format.js";
import * as inspect from "./inspect.js";
import * as overview from "./overview.js";
import * as policies from "./policies.js";
import * as prediction from "./prediction.js";
import * as tables from "./tables.js";

const PAUSE_MS = 1000;
const SLOWER_EVERY = 3;
// What is looked at less often, by the id of its section.
const SLOWER = { policies, prediction, commands };

let turn = 0;
let isSignedOut = false;
let user = null;

function state(name) {
  const badge = byId("state");
  badge.dataset.state = name;
  write(badge, name);
}

async function refresh() {
  const stats = await get("/v1/stats");
  state("ready");
  write(byId("about"), `version ${stats.version}, up ${span(stats.uptime_ms)}`);
  overview.show(stats);
  tables.tenants(stats.tenants);
  if (turn % SLOWER_EVERY === 0) {
    for (const [name, section] of Object.entries(SLOWER)) await refreshIfAllowed(name, section);
  }
  turn += 1;
}

// What this user may not see is left out; that nobody is signed in is another matter.
async function refreshIfAllowed(name, section) {
  try {
    await section.refresh();
    byId(name).hidden = false;
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 403) throw error;
    byId(name).hidden = true;
  }
}

function askForUser(error) {
  isSignedOut = true;
  byId("main").hidden = true;
  byId("sign-in").hidden = false;
  byId("sign-out").hidden = true;
  state("waiting");
  if (user !== null) tell(`Not signed in: ${error.message}`);
  user = null;
  byId("user").focus();
}

async function loop() {
  if (!document.hidden && !isSignedOut) {
    try {
      await refresh();
    } catch (error) {
      if (error instanceof Refused && error.status === 401) askForUser(error);
      else if (error instanceof Refused) tell(`The server refused: ${error.message}`);
      else state("lost");
    }
  }
  setTimeout(loop, PAUSE_MS);
}

byId("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const { elements } = event.currentTarget;
  user = elements.user.value;
  signIn(user, elements.password.value);
  elements.password.value = "";
  tell("");
  byId("sign-in").hidden = true;
  byId("main").hidden = false;
  byId("sign-out").hidden = false;
  byId("main").focus();
  isSignedOut = false;
  turn = 0;
});

byId("sign-out").addEventListener("click", () => {
  signOut();
  // Everything that was shown goes with the page.
  location.reload();
});

policies.start();
inspect.start();
loop();
