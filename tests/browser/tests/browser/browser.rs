//! tests/browser/browser.rs: headless Chromium with a profile of its own, driven by WebDriver.

use std::fmt::Debug;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities;
use thirtyfour::{By, ChromeCapabilities, Cookie, Key, TypingData, WebDriver};

use crate::programs::{Certificate, Program};

/// The longest that a page may take.
const PAGE: Duration = Duration::from_secs(15);

pub const ADA: &str = "correct horse battery staple";

pub struct Browser {
    driver: WebDriver,
    program: Program,
    _home: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromedriver and the browsers that it started, at once.
        let group = format!("-{}", self.program.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        // Nobody is left to be told to quit.
        let _ = self.driver.clone().leak();
    }
}

impl Browser {
    /// One that trusts the certificates of `scripts/certificate` as it trusts the world's.
    pub async fn start() -> Self {
        let certificate = Certificate::made();
        Self::with(|home| {
            let store = home.join(".pki/nssdb");
            std::fs::create_dir_all(&store).unwrap();
            let store = format!("sql:{}", store.display());
            let ca = certificate.path("ca.pem");
            certutil(&["-d", &store, "-N", "--empty-password"]);
            certutil(&["-d", &store, "-A", "-t", "C,,", "-n", "tests", "-i", &ca]);
        })
        .await
    }

    /// As it comes: it has never heard of our CA.
    pub async fn that_trusts_nobody_new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(prepare: impl FnOnce(&Path)) -> Self {
        let home = tempfile::tempdir().unwrap();
        prepare(home.path());
        let mut driver = Command::new("chromedriver");
        let program =
            Program::start(driver.arg("--port=0").env("HOME", home.path()).process_group(0));
        let said = program.says("started successfully on port ");
        let port = said.rsplit(' ').next().unwrap().trim_end_matches('.');

        let mut wanted = ChromeCapabilities::new();
        let profile = format!("--user-data-dir={}", home.path().join("profile").display());
        for argument in [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--window-size=1000,800",
            &profile,
        ] {
            wanted.add_arg(argument).unwrap();
        }
        let driver = WebDriver::builder(format!("http://127.0.0.1:{port}"), wanted);
        let driver = driver.request_timeout(2 * PAGE).connect().await.unwrap();
        driver.set_page_load_timeout(PAGE).await.unwrap();
        Browser { driver, program, _home: home }
    }

    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    pub async fn back(&self) {
        self.driver.back().await.unwrap();
    }

    /// Waits until the address is `url` and its page is there.
    pub async fn arrives(&self, url: &str) {
        self.until(url, async || {
            let at = self.driver.current_url().await.unwrap().to_string();
            let ready = self.script::<String>("return document.readyState").await;
            if at == url && ready == "complete" { Ok(()) } else { Err(at) }
        })
        .await;
    }

    async fn until<E: Debug>(&self, wanted: &str, check: impl AsyncFn() -> Result<(), E>) {
        let end = Instant::now() + PAGE;
        while let Err(found) = check().await {
            if Instant::now() > end {
                self.shot("failed").await;
                panic!("{wanted:?} did not come, but {found:?}: {}", self.text().await);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What a person reads.
    pub async fn text(&self) -> String {
        self.script("return document.body.innerText").await
    }

    /// All that is there, for those who look behind the page.
    pub async fn source(&self) -> String {
        self.driver.source().await.unwrap()
    }

    /// A script of the tester's: the pages themselves allow none.
    pub async fn script<T: serde::de::DeserializeOwned>(&self, script: &str) -> T {
        self.driver.execute(script, Vec::new()).await.unwrap().convert().unwrap()
    }

    /// Types into whatever has the focus.
    pub async fn types(&self, keys: impl Into<TypingData>) {
        self.driver.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// On the login page, by keyboard alone: name, password, Enter.
    pub async fn logs_in_as_ada(&self) {
        self.has_focus("username").await;
        self.types("ada" + Key::Tab).await;
        self.types(ADA + Key::Enter).await;
    }

    /// The same, with the box "Stay logged in on this device".
    pub async fn logs_in_as_ada_to_stay(&self) {
        self.has_focus("username").await;
        self.types("ada" + Key::Tab).await;
        self.types(ADA + Key::Tab).await;
        self.types(" ").await;
        self.types(Key::Enter + "").await;
    }

    /// Waits until the field has the focus, which a page gives by itself.
    pub async fn has_focus(&self, field: &str) {
        self.until(field, async || {
            let focused: String = self.script("return document.activeElement.id").await;
            if focused == field { Ok(()) } else { Err(focused) }
        })
        .await;
    }

    /// Presses the button or the link with this text.
    pub async fn presses(&self, text: &str) {
        let path = format!("//*[self::a or self::button][normalize-space()='{text}']");
        self.driver.find(By::XPath(path)).await.unwrap().click().await.unwrap();
    }

    /// The same, inside of what the selector finds first.
    pub async fn presses_in(&self, selector: &str, text: &str) {
        let inside = self.driver.find(By::Css(selector)).await.unwrap();
        let path = format!(".//*[self::a or self::button][normalize-space()='{text}']");
        inside.find(By::XPath(path)).await.unwrap().click().await.unwrap();
    }

    /// Waits until the script returns true.
    pub async fn comes(&self, what: &str, script: &str) {
        self.until(what, async || if self.script(script).await { Ok(()) } else { Err("not yet") })
            .await;
    }

    /// Presses "Log out" by keyboard: Tab until it has the focus, Enter.
    pub async fn logs_out(&self) {
        for _ in 0..10 {
            self.types(Key::Tab + "").await;
            let focused: String = self.script("return document.activeElement.innerText").await;
            if focused == "Log out" {
                return self.types(Key::Enter + "").await;
            }
        }
        panic!("no \"Log out\" among the first elements: {}", self.text().await);
    }

    /// All cookies that this page's requests carry, those hidden from scripts too.
    pub async fn cookies(&self) -> Vec<Cookie> {
        self.driver.get_all_cookies().await.unwrap()
    }

    /// The session's cookie, whatever it is called.
    pub async fn session(&self) -> Option<Cookie> {
        let all = self.cookies().await.into_iter();
        let mut sessions = all.filter(|cookie| cookie.name.ends_with("session"));
        let first = sessions.next();
        assert!(sessions.next().is_none(), "two sessions");
        first
    }

    /// Puts a cookie back, as a thief would.
    pub async fn add(&self, mut cookie: Cookie) {
        cookie.domain = None; // a `__Host-` cookie must not name one
        self.driver.add_cookie(cookie).await.unwrap();
    }

    pub async fn forgets_all_cookies(&self) {
        self.driver.delete_all_cookies().await.unwrap();
    }

    /// What the browser spoke to get this page: `h2`, `http/1.1`.
    pub async fn protocol(&self) -> String {
        self.script("return performance.getEntriesByType('navigation')[0].nextHopProtocol").await
    }

    /// Waits for a page that came with this status.
    pub async fn has_status(&self, wanted: u16) {
        let status = "const [page] = performance.getEntriesByType('navigation');
            return document.readyState == 'complete' ? page.responseStatus : 0";
        self.until(&format!("status {wanted}"), async || {
            let status: u16 = self.script(status).await;
            if status == wanted { Ok(()) } else { Err(status) }
        })
        .await;
    }

    /// Runs `act` in a second tab, and comes back to the first.
    pub async fn in_new_tab(&self, act: impl AsyncFnOnce()) {
        let first = self.driver.window().await.unwrap();
        let second = self.driver.new_tab().await.unwrap();
        self.driver.switch_to_window(second).await.unwrap();
        act().await;
        self.driver.close_window().await.unwrap();
        self.driver.switch_to_window(first).await.unwrap();
    }

    /// Keeps a picture in `target/screenshots`.
    pub async fn shot(&self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        self.driver.screenshot(&folder.join(format!("{name}.png"))).await.unwrap();
    }
}

fn certutil(arguments: &[&str]) {
    let done = Command::new("certutil").args(arguments).output().expect("certutil");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
