//! The cable between one client and a server, which can be cut: nothing arrives any more, and nobody is told.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A cable, until it is dropped.
pub struct Cable {
    address: SocketAddr,
    whole: watch::Sender<bool>,
    _carrying: JoinSet<()>,
}

impl Cable {
    /// One that leads to a port of this machine.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let whole = watch::Sender::new(true);
        let mut carrying = JoinSet::new();
        let state = whole.clone();
        carrying.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (there, back) = (state.subscribe(), state.subscribe());
                open.spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
                        return;
                    };
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::join!(
                        carry(from_client, to_server, there),
                        carry(from_server, to_client, back)
                    );
                });
            }
        });
        Self {
            address,
            whole,
            _carrying: carrying,
        }
    }

    /// Where the client goes.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// What was under way arrives now.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut whole: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let mended = whole.wait_for(|whole| *whole).await.is_ok();
        if !mended || to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
