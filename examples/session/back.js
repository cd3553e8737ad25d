// examples/session/back.js: a browser may show a page once more from its back/forward cache, after a logout as
// well: Chromium does so with a page that the login's redirect led to, `no-store` or not. Then it is asked anew.
addEventListener("pageshow", (event) => {
  if (event.persisted) {
    location.reload();
  }
});
