//! Connections to Redis, and whether what answers is what the settings say.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::{AsyncPushSender, ConnectionLike, MultiplexedConnection};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    ProtocolVersion, RedisConnectionInfo, RedisResult, TlsCertificates, cmd,
};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::address::RedisAddress;
use super::connection::Connection;
use super::fault::ConnectError;
use super::nodes::{Primaries, Slots};

/// The oldest version that has all that is used here.
const VERSION_MIN: (u32, u32) = (6, 2);
/// How often the cluster's client asks again by itself, where a node is away or a slot moves, and what it waits between.
const RETRIES: u32 = 8;
const RETRY_WAITS_MS: [u64; 2] = [10, 100];
/// What a certificate begins with.
const PEM_CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";
/// Beyond what any operation may take, a node that says nothing is away.
const PATIENCE: Duration = Duration::from_secs(60);

/// A name or an address, and a port.
type Host = (String, u16);

/// How many replicas a server has, or the primary with the fewest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Replicas {
    /// The most that it had so far: one that went is missed.
    pub(super) most: u32,
    pub(super) now: u32,
}

impl Replicas {
    fn take(&mut self, now: u32) {
        *self = Self {
            most: self.most.max(now),
            now,
        };
    }
}

/// Makes connections.
pub(super) struct Dialer {
    address: RedisAddress,
    password: Option<Zeroizing<String>>,
    tls_ca: Option<Vec<u8>>,
    timeout: Duration,
    /// What the tier is called in texts.
    pub(super) place: String,
    replicas: Mutex<Replicas>,
    /// Which host is tried first.
    start: AtomicUsize,
    /// The servers that had keys when it was asked last.
    primaries: Mutex<Vec<Host>>,
}

impl Dialer {
    pub(super) fn new(
        address: RedisAddress,
        password: Option<Zeroizing<String>>,
        tls_ca: Option<Vec<u8>>,
        timeout: Duration,
    ) -> Self {
        let kind = if address.is_cluster {
            "cluster"
        } else {
            "redis"
        };
        Self {
            place: format!("the {kind} tier at {address}"),
            password: password.or_else(|| address.password.clone()),
            address,
            tls_ca,
            timeout,
            replicas: Mutex::default(),
            start: AtomicUsize::new(0),
            primaries: Mutex::default(),
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.address.is_cluster
    }

    /// What it was told of last.
    pub(super) fn replicas(&self) -> Replicas {
        *self.replicas.lock()
    }

    /// A connection to all that the tier is.
    pub(super) async fn dial(&self) -> Result<Connection, ConnectError> {
        let (first, host) = self.dial_first().await?;
        if !self.is_cluster() {
            return Ok(Connection::Single(first));
        }
        drop(first);
        let connection = self.cluster_client(&host)?.get_async_connection().await;
        let connection = connection.map_err(|error| ConnectError::of(&self.place, &error))?;
        Ok(Connection::Cluster(connection))
    }

    /// The same, for whoever has the time to try all hosts.
    pub(super) async fn dial_patiently(&self) -> Result<Connection, ConnectError> {
        let patience = self.timeout * (self.address.hosts.len() as u32 + 1);
        let dialed = timeout(patience, self.dial()).await;
        dialed.unwrap_or_else(|_| Err(self.is_late()))
    }

    /// Each server that has keys; of a cluster, it is noted how many replicas they have.
    pub(super) async fn primaries(&self) -> Result<Vec<Host>, ConnectError> {
        let asked = timeout(self.timeout, self.ask_primaries()).await;
        asked.unwrap_or_else(|_| Err(self.is_late()))
    }

    async fn ask_primaries(&self) -> Result<Vec<Host>, ConnectError> {
        let (mut first, _) = self.dial_first().await?;
        if !self.is_cluster() {
            return Ok(self.address.hosts.clone());
        }
        let nodes = text(&mut first, cmd("CLUSTER").arg("NODES")).await;
        let nodes = nodes.map_err(|error| ConnectError::of(&self.place, &error))?;
        let primaries = Primaries::read(&nodes);
        if primaries.hosts.is_empty() {
            return Err(ConnectError::IsEmpty(self.place.clone()));
        }
        self.replicas.lock().take(primaries.replicas);
        self.primaries.lock().clone_from(&primaries.hosts);
        Ok(primaries.hosts)
    }

    /// The slots of each server that has keys, as it says itself; nothing where there are none.
    pub(super) async fn slots(&self) -> Result<Vec<Slots>, ConnectError> {
        let mut slots = Vec::new();
        for host in self.primaries().await? {
            if !self.is_cluster() {
                break;
            }
            let asking = async {
                let mut connection = self.dial_host(&host).await?;
                let nodes = text(&mut connection, cmd("CLUSTER").arg("NODES")).await;
                nodes.map_err(|error| ConnectError::of(&self.place, &error))
            };
            let nodes = timeout(self.timeout, asking).await;
            slots.push(Slots::read(&nodes.unwrap_or_else(|_| Err(self.is_late()))?));
        }
        Ok(slots)
    }

    /// Servers that may be there, those that had keys when it was asked last first.
    pub(super) fn hosts(&self) -> Vec<Host> {
        let mut hosts = self.primaries.lock().clone();
        hosts.extend(self.address.hosts.iter().cloned());
        hosts
    }

    /// It takes too long.
    pub(super) fn is_late(&self) -> ConnectError {
        let tls = match self.address.is_tls {
            true => " (does it speak TLS there?)",
            false => "",
        };
        let text = format!("no answer within {} ms{tls}", self.timeout.as_millis());
        ConnectError::Unreachable(self.place.clone(), text)
    }

    /// The first that answers of those that the settings name, and of those that had keys when it was asked last, if it is
    /// what the settings say. One that did not is the last to be tried the next time, also where nobody waits for its answer
    /// any more.
    async fn dial_first(&self) -> Result<(MultiplexedConnection, Host), ConnectError> {
        let mut fault = None;
        let mut hosts = self.address.hosts.clone();
        hosts.extend(self.primaries.lock().iter().cloned());
        let start = self.start.load(Relaxed);
        for step in 0..hosts.len() {
            let at = (start + step) % hosts.len();
            let host = &hosts[at];
            self.start.store(at + 1, Relaxed);
            let mut connection = match self.dial_host(host).await {
                Ok(connection) => connection,
                Err(error) if error.is_passing() => {
                    fault = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let info = text(&mut connection, &cmd("INFO")).await;
            let info = info.map_err(|error| ConnectError::of(&self.place, &error))?;
            self.check(&info)?;
            self.start.store(at, Relaxed);
            return Ok((connection, host.clone()));
        }
        Err(fault.unwrap_or_else(|| {
            ConnectError::Unreachable(self.place.clone(), "it has no address".to_owned())
        }))
    }

    /// Whether a server is what the settings say, by what it tells of itself.
    fn check(&self, info: &str) -> Result<(), ConnectError> {
        let place = self.place.clone();
        let field = |name| info.lines().find_map(|line| line.strip_prefix(name));
        let version = field("redis_version:").unwrap_or_default().trim();
        let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
        let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if number < VERSION_MIN {
            return Err(ConnectError::TooOld(place, version.to_owned()));
        }
        match (field("cluster_enabled:").map(str::trim), self.is_cluster()) {
            (Some("1"), false) => return Err(ConnectError::IsCluster(place)),
            (Some("1"), true) | (_, false) => {}
            (_, true) => return Err(ConnectError::IsNoCluster(place)),
        }
        if !self.is_cluster() {
            if field("role:").is_some_and(|role| role.trim() == "slave") {
                return Err(ConnectError::IsReplica(place));
            }
            let count = field("connected_slaves:").and_then(|count| count.trim().parse().ok());
            self.replicas.lock().take(count.unwrap_or(0));
        }
        Ok(())
    }

    pub(super) async fn dial_host(
        &self,
        host: &Host,
    ) -> Result<MultiplexedConnection, ConnectError> {
        let config = AsyncConnectionConfig::new();
        self.dial_by(self.info(host), config).await
    }

    /// A connection over which `push` is handed what comes without having been asked for.
    pub(super) async fn dial_listening(
        &self,
        host: &Host,
        push: impl AsyncPushSender,
    ) -> Result<MultiplexedConnection, ConnectError> {
        let config = AsyncConnectionConfig::new().set_push_sender(push);
        self.dial_by(self.info(host), config).await
    }

    async fn dial_by(
        &self,
        info: RedisResult<ConnectionInfo>,
        config: AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, ConnectError> {
        let of = |error| ConnectError::of(&self.place, &error);
        let info = info.map_err(of)?;
        let client = match &self.tls_ca {
            Some(ca) if self.address.is_tls => {
                if !ca
                    .windows(PEM_CERTIFICATE.len())
                    .any(|text| text == PEM_CERTIFICATE)
                {
                    let text = "there is no certificate in the file".to_owned();
                    return Err(ConnectError::Authorities(self.place.clone(), text));
                }
                let certificates = TlsCertificates {
                    client_tls: None,
                    root_cert: Some(ca.clone()),
                };
                Client::build_with_tls(info, certificates).map_err(|error| {
                    ConnectError::Authorities(self.place.clone(), error.to_string())
                })?
            }
            _ => Client::open(info).map_err(of)?,
        };
        let config = config
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(None);
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        match timeout(self.timeout, connecting).await {
            Ok(connected) => connected.map_err(of),
            Err(_) => Err(self.is_late()),
        }
    }

    fn info(&self, (host, port): &Host) -> RedisResult<ConnectionInfo> {
        let addr = match self.address.is_tls {
            true => ConnectionAddr::TcpTls {
                host: host.clone(),
                port: *port,
                insecure: false,
                tls_params: None,
            },
            false => ConnectionAddr::Tcp(host.clone(), *port),
        };
        let mut settings = RedisConnectionInfo::default()
            .set_db(self.address.db.into())
            .set_protocol(ProtocolVersion::RESP3);
        if let Some(user) = &self.address.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password.as_str());
        }
        Ok(addr.into_connection_info()?.set_redis_settings(settings))
    }

    /// One that learns of all nodes from one that answers: it would wait for each that it is given.
    fn cluster_client(&self, host: &Host) -> Result<ClusterClient, ConnectError> {
        let of = |error| ConnectError::of(&self.place, &error);
        let mut builder = ClusterClientBuilder::new([self.info(host).map_err(of)?])
            .use_protocol(ProtocolVersion::RESP3)
            .retries(RETRIES)
            .min_retry_wait(RETRY_WAITS_MS[0])
            .max_retry_wait(RETRY_WAITS_MS[1])
            // A node that hangs leaves time for the others.
            .connection_timeout(self.timeout / 2)
            // Whoever waits has a shorter one.
            .response_timeout(self.timeout + PATIENCE)
            .overall_response_timeout(None);
        if let Some(ca) = self.tls_ca.as_ref().filter(|_| self.address.is_tls) {
            builder = builder.certs(TlsCertificates {
                client_tls: None,
                root_cert: Some(ca.clone()),
            });
        }
        builder.build().map_err(of)
    }
}

/// A text that a server answers.
async fn text(connection: &mut MultiplexedConnection, command: &Cmd) -> RedisResult<String> {
    let answer = connection.req_packed_command(command).await?;
    Ok(redis::from_redis_value(answer.extract_error()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialer(address: &str) -> Dialer {
        Dialer::new(address.parse().unwrap(), None, None, Duration::from_secs(1))
    }

    #[test]
    fn what_a_server_tells_is_compared_with_what_the_settings_say() {
        let info = |version: &str, role: &str, cluster: u8| {
            format!(
                "redis_version:{version}\r\nrole:{role}\r\ncluster_enabled:{cluster}\r\nconnected_slaves:2\r\n"
            )
        };
        let single = dialer("redis://h:1");
        assert_eq!(single.check(&info("7.0.15", "master", 0)), Ok(()));
        assert_eq!(single.replicas(), Replicas { most: 2, now: 2 });
        let without = info("7.0.15", "master", 0).replace("slaves:2", "slaves:0");
        assert_eq!(single.check(&without), Ok(()));
        assert_eq!(single.replicas(), Replicas { most: 2, now: 0 });
        let place = "the redis tier at redis://h:1".to_owned();
        for (told, expected) in [
            (
                info("6.0.16", "master", 0),
                ConnectError::TooOld(place.clone(), "6.0.16".into()),
            ),
            (
                info("7.0.0", "master", 1),
                ConnectError::IsCluster(place.clone()),
            ),
            (
                info("7.0.0", "slave", 0),
                ConnectError::IsReplica(place.clone()),
            ),
        ] {
            assert_eq!(single.check(&told), Err(expected));
        }
        let cluster = dialer("redis-cluster://h:1");
        assert_eq!(cluster.check(&info("6.2.0", "slave", 1)), Ok(()));
        let refused = cluster.check(&info("6.2.0", "master", 0)).unwrap_err();
        assert!(matches!(refused, ConnectError::IsNoCluster(_)), "{refused}");
    }
}
