//! The benchmark's peer on pajamax: synchronous, a thread for each connection.
use std::error::Error;

use bytes::{Buf, BufMut};
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use ext_authz::{Keys, read_arguments};
use prost::Message;
use prost_of_pajamax::encoding::{DecodeContext, WireType};

struct Peer(Keys);

impl pajamax::PajamaxService for Peer {
    fn route(&self, path: &[u8]) -> Option<usize> {
        (path == b"/envoy.service.auth.v3.Authorization/Check").then_some(0)
    }

    fn handle(&self, _method: usize, message: &[u8], stream: u32) -> Result<(), pajamax::error::Error> {
        let request = CheckRequest::decode(message)
            .map_err(|_| pajamax::error::Error::InvalidHttp2("a message that is no CheckRequest"))?;
        pajamax::local_build_response(stream, Ok(Reply(self.0.check(&request))))
    }

    fn is_dispatch_mode(&self) -> bool {
        false
    }
}

/// The answer as a message of the prost that pajamax is built with.
#[derive(Debug, Default)]
struct Reply(CheckResponse);

impl prost_of_pajamax::Message for Reply {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        self.0.encode_raw(buffer);
    }

    fn merge_field(
        &mut self,
        _tag: u32,
        _wire_type: WireType,
        _buffer: &mut impl Buf,
        _context: DecodeContext,
    ) -> Result<(), prost_of_pajamax::DecodeError> {
        Err(prost_of_pajamax::DecodeError::new("an answer is never read here"))
    }

    fn encoded_len(&self) -> usize {
        self.0.encoded_len()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = read_arguments()?;
    let keys = Keys::read(&arguments.digests)?;
    println!("listening on {} with {} keys", arguments.listen, keys.len());
    pajamax::Config::new().add_service(Peer(keys)).serve(&arguments.listen)?;
    Ok(())
}
