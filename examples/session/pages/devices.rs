//! examples/session/pages/devices.rs: where a user is logged in, each with a button that ends it.

use maud::html;
use rocket::http::Status;
use rocket_identity::auth::Device;

use super::{Account, Chrome, Page, moment, page};

/// `devices` in the order that they are shown in; `notice` is what was done just now.
pub fn devices(user: &Account, devices: &[Device], notice: Option<&str>) -> Page {
    let content = html! {
        section.ticket {
            div.body {
                p.kicker { "Only for " (user.name) }
                h1 { "Your devices" }
                @if let Some(notice) = notice {
                    p.notice role="status" { (notice) }
                }
                ul.devices {
                    @for device in devices { li { (row(device)) } }
                }
            }
            aside.stub {
                h2 { "One you don’t know?" }
                p {
                    "Log it out, then change your password in the " a href="/settings" { "settings" } ". It is out at once, in every open page."
                }
                @if devices.len() > 1 {
                    form method="post" action="/sessions/revoke-others" {
                        button { "Log out the others" }
                    }
                }
                form method="post" action="/logout-everywhere" {
                    button.quiet { "Log out everywhere" }
                }
            }
        }
    };
    page(Status::Ok, "Your devices", Chrome::Visitor(Some(user)), content)
}

fn row(device: &Device) -> maud::Markup {
    let name = name(device.user_agent());
    html! {
        div {
            h3 {
                (name)
                @if device.is_current() { " " span.mark { "this one" } }
            }
            p.small {
                @match device.address() {
                    Some(address) => { "From " code { (address) } },
                    None => { "From an address that is not known" },
                }
                @if device.remembered() { ", to stay" }
            }
            p.small { "Since " (moment(device.created())) }
            p.small { "Seen " (moment(device.last_seen())) }
        }
        @if !device.is_current() {
            form method="post" action={ "/sessions/" (device.handle()) "/revoke" } {
                button.quiet aria-label={ "Log out " (name) ", since " (humantime::format_rfc3339_seconds(device.created())) } { "Log out" }
            }
        }
    }
}

/// A browser and its system in words that a person knows. The client chose what it says of itself, so
/// this is a help to the memory and proves nothing.
fn name(agent: Option<&str>) -> String {
    let Some(agent) = agent else { return "A device without a name".into() };
    // The order matters: most of them claim to be others too.
    const BROWSERS: [(&str, &str); 7] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("iPhone", "an iPhone"),
        ("iPad", "an iPad"),
        ("Android", "Android"),
        ("CrOS", "ChromeOS"),
        ("Windows", "Windows"),
        ("Mac OS X", "a Mac"),
        ("Linux", "Linux"),
    ];
    let known = |table: [(&str, &'static str); 7]| {
        table.into_iter().find(|(token, _)| agent.contains(token)).map(|(_, name)| name)
    };
    match (known(BROWSERS), known(SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.into(),
        (None, Some(system)) => format!("A program on {system}"),
        (None, None) => agent.chars().take(40).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_device_is_called_what_its_owner_would_call_it() {
        let mozilla = "Mozilla/5.0";
        for (agent, expected) in [
            (
                "(X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36",
                "Chrome on Linux",
            ),
            ("(Macintosh; Intel Mac OS X 10_15_7) AppleWebKit Safari/605", "Safari on a Mac"),
            ("(iPhone; CPU iPhone OS 17_0 like Mac OS X) Safari/604.1", "Safari on an iPhone"),
            ("(Linux; Android 14) Chrome/120.0 Mobile Safari/537.36", "Chrome on Android"),
            ("(Windows NT 10.0; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Windows"),
        ] {
            assert_eq!(name(Some(&format!("{mozilla} {agent}"))), expected);
        }
        assert_eq!(name(Some("curl/8.5.0")), "curl");
        assert_eq!(name(Some("what")), "what");
        assert_eq!(name(None), "A device without a name");
    }
}
