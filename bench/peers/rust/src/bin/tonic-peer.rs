//! The benchmark's peer on tonic, with its defaults.
use std::error::Error;

use envoy_types::pb::envoy::service::auth::v3::authorization_server::{Authorization, AuthorizationServer};
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use ext_authz::{Keys, read_arguments};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tonic::transport::{Server, server::TcpIncoming};
use tonic::{Request, Response, Status};

struct Peer(Keys);

#[tonic::async_trait]
impl Authorization for Peer {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        Ok(Response::new(self.0.check(request.get_ref())))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = read_arguments()?;
    let mut builder = match arguments.threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(arguments.threads).enable_all().build()?;
    runtime.block_on(async {
        let keys = Keys::read(&arguments.digests)?;
        let listener = TcpListener::bind(&arguments.listen).await?;
        println!("listening on {} with {} keys", listener.local_addr()?, keys.len());
        let mut ended = signal(SignalKind::terminate())?;
        Server::builder()
            .add_service(AuthorizationServer::new(Peer(keys)))
            .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), async move {
                ended.recv().await;
            })
            .await?;
        Ok(())
    })
}
