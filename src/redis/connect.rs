//! src/redis/connect.rs: the one file that knows how connections are made.

use std::net::IpAddr;
use std::path::Path;

#[cfg(feature = "redis-tls")]
use deadpool_redis::redis::TlsCertificates;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::io::tcp::TcpSettings;
use deadpool_redis::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisError,
    RedisResult,
};
use tokio::time;

use super::probe;
use crate::config::doctor::{Finding, Remote};
use crate::config::redis::Database;
use crate::error::Source;

/// The client for a URL, over TCP, TLS or a unix socket.
pub fn client(database: &Database) -> Result<Client, Source> {
    let info = database.url.0.as_str().into_connection_info()?;
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    match &database.ca {
        None => Ok(Client::open(info)?),
        Some(path) => with_ca(info, path),
    }
}

/// Connects within `connect_timeout`, then looks at what is there: two round trips, each within
/// `command_timeout`, so that a Redis which is slow but in time is one that can be connected to.
pub async fn connect(
    client: &Client,
    database: &Database,
) -> RedisResult<(MultiplexedConnection, Vec<Finding>)> {
    let mut connection = plain(client, database).await?;
    let findings = probe::probe(&mut connection, database).await?;
    Ok((connection, findings))
}

/// Connects within `connect_timeout`, and looks at nothing.
pub async fn plain(client: &Client, database: &Database) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(database.connect_timeout))
        // Ours is the limit: a second timer for each command would only cost.
        .set_response_timeout(None);
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    time::timeout(database.connect_timeout, connecting).await.map_err(|_| timed_out())?
}

/// What the checks at launch want to know of the way to Redis.
pub fn remote(database: &Database) -> RedisResult<Remote> {
    let info = database.url.0.as_str().into_connection_info()?;
    let (local, encrypted) = match info.addr() {
        ConnectionAddr::Tcp(host, _) => (is_local(host), false),
        // `#insecure` takes any certificate: whoever stands between reads along.
        ConnectionAddr::TcpTls { host, insecure, .. } => (is_local(host), !insecure),
        _ => (true, false),
    };
    Ok(Remote { local, encrypted, password: info.redis_settings().password().is_some() })
}

/// With two rustls providers in one build, redis panics at its first connection unless one of
/// them is the default; whoever was first may stay.
pub fn install_tls_provider() {
    #[cfg(feature = "redis-tls")]
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

pub fn timed_out() -> RedisError {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time").into()
}

#[cfg(feature = "redis-tls")]
fn with_ca(info: ConnectionInfo, path: &Path) -> Result<Client, Source> {
    let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem) };
    Ok(Client::build_with_tls(info, certificates)?)
}

#[cfg(not(feature = "redis-tls"))]
fn with_ca(_: ConnectionInfo, _: &Path) -> Result<Client, Source> {
    Err("databases.identity.ca needs the feature `redis-tls` of rocket_identity".into())
}

fn is_local(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}
