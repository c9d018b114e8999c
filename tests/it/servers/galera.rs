//! A Galera cluster: MariaDBs that certify each other's commits. The library comes with MariaDB's package.

use tokio::sync::OnceCell;

use super::{Kind, Server, free_port, mariadb};

/// Nodes, each with the data of all.
pub struct Galera {
    pub nodes: Vec<Server>,
    options: Vec<Vec<String>>,
}

impl Galera {
    /// One that tests share who do it no harm.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Galera> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::start(2)).await
    }

    /// One of one's own.
    pub async fn start(nodes: usize) -> Self {
        let ports: Vec<_> = (0..nodes).map(|_| free_port()).collect();
        let addresses: Vec<_> = ports.iter().map(|at| format!("127.0.0.1:{at}")).collect();
        let options = addresses.iter().map(|at| {
            vec![
                "--wsrep-on=ON".to_owned(),
                "--wsrep-provider=/usr/lib/galera/libgalera_smm.so".to_owned(),
                "--binlog-format=ROW".to_owned(),
                "--innodb-autoinc-lock-mode=2".to_owned(),
                format!("--wsrep-cluster-address=gcomm://{}", addresses.join(",")),
                format!("--wsrep-node-address={at}"),
                "--wsrep-sst-method=rsync".to_owned(),
                format!("--wsrep-sst-receive-address=127.0.0.1:{}", free_port()),
                format!(
                    "--wsrep-provider-options=gmcast.listen_addr=tcp://{at};ist.recv_addr=127.0.0.1:{};gcache.size=16M;\
                     evs.keepalive_period=PT0.2S;evs.inactive_check_period=PT0.2S;\
                     evs.suspect_timeout=PT1S;evs.inactive_timeout=PT3S",
                    free_port()
                ),
            ]
        });
        let mut cluster = Self {
            nodes: Vec::new(),
            options: options.collect(),
        };
        for (n, options) in cluster.options.iter().enumerate() {
            let mut options: Vec<&str> = options.iter().map(String::as_str).collect();
            if n == 0 {
                options.push("--wsrep-new-cluster");
            }
            let node = Server::start_as(Kind::MariaDb, Some("mysql"), &options).await;
            cluster.nodes.push(node);
        }
        cluster
    }

    /// Starts a node that was killed: it takes from the others what it has missed.
    pub async fn start_again(&mut self, node: usize) {
        let options: Vec<&str> = self.options[node].iter().map(String::as_str).collect();
        self.nodes[node].start_again(&options).await;
    }

    /// A new, empty database that each node knows of: its URL on each of them.
    pub async fn database(&self) -> Vec<String> {
        let url = self.nodes[0].database().await;
        let name = url.rsplit_once('/').unwrap().1;
        let mut urls = Vec::new();
        for node in &self.nodes {
            mariadb::has_what_others_have(node.port).await;
            urls.push(node.url(name));
        }
        urls
    }

    /// Cuts a node off from the others, or lets it join them again.
    pub async fn isolate(&self, node: usize, cut: bool) {
        let options = format!("gmcast.isolate={}", u8::from(cut));
        let set = format!("SET GLOBAL wsrep_provider_options = '{options}'");
        mariadb::run(self.nodes[node].port, &set).await;
    }
}
