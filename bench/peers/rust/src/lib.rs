//! What both Rust peers answer: a Check is one SHA-256 and one lookup, as in the Go peer, and the answers are the
//! same bytes. No states, limits, cache or store.
use std::{collections::HashMap, env, fs, io};

use envoy_types::pb::envoy::config::core::v3::{
    HeaderValue, HeaderValueOption, header_value_option::HeaderAppendAction,
};
use envoy_types::pb::envoy::service::auth::v3::{
    CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse, check_response::HttpResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::rpc::Status;
use sha2::{Digest, Sha256};

const DENIED_BODY: &str = r#"{"error":{"code":"invalid_api_key","message":"The API key is not valid."}}"#;
/// Of google.rpc.Code.
const UNAUTHENTICATED: i32 = 16;

/// Digests of keys and the ids of these.
pub struct Keys(HashMap<[u8; 32], String>);

impl Keys {
    /// Reads SHA-256 digests in hex, one a line.
    pub fn read(path: &str) -> io::Result<Keys> {
        let text = fs::read_to_string(path)?;
        let mut keys = HashMap::new();
        for line in text.lines() {
            let digest = parse_digest(line).ok_or_else(|| {
                let what = format!("{path}: line {} is not a SHA-256 digest in hex", keys.len() + 1);
                io::Error::new(io::ErrorKind::InvalidData, what)
            })?;
            let id = format!("key_{:022}", keys.len());
            keys.insert(digest, id);
        }
        Ok(Keys(keys))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn check(&self, request: &CheckRequest) -> CheckResponse {
        let secret = authorization(request).and_then(|value| value.strip_prefix("Bearer "));
        let id = secret.and_then(|secret| self.0.get::<[u8; 32]>(&Sha256::digest(secret).into()));
        id.map_or_else(denied, |id| allowed(id))
    }
}

/// What the peers are told on their command line, as the Go peer is.
pub struct Arguments {
    pub listen: String,
    pub digests: String,
    /// Threads that answer, where the server lets one choose.
    pub threads: usize,
}

pub fn read_arguments() -> Result<Arguments, String> {
    let mut found = HashMap::new();
    let mut arguments = env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(format!("{name} has no value"))?;
        found.insert(name, value);
    }
    let mut take = |name: &str| found.remove(name);
    let listen = take("-listen").unwrap_or_else(|| "127.0.0.1:0".to_string());
    let digests = take("-digests").ok_or("-digests is missing")?;
    let threads = take("-threads").map_or(Ok(1), |text| text.parse());
    let threads = threads.map_err(|error| format!("-threads: {error}"))?;
    match found.keys().next() {
        Some(name) => Err(format!("{name} is unknown")),
        None => Ok(Arguments { listen, digests, threads }),
    }
}

fn parse_digest(line: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if line.len() != 64 || !line.is_ascii() {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&line[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(digest)
}

/// The header in either form that Envoy sends: a map, or raw (encode_raw_headers).
fn authorization(request: &CheckRequest) -> Option<&str> {
    let http = request.attributes.as_ref()?.request.as_ref()?.http.as_ref()?;
    if let Some(value) = http.headers.get("authorization") {
        return Some(value);
    }
    let headers = &http.header_map.as_ref()?.headers;
    let header = headers.iter().find(|header| header.key == "authorization")?;
    if header.raw_value.is_empty() {
        return Some(&header.value);
    }
    std::str::from_utf8(&header.raw_value).ok()
}

fn allowed(id: &str) -> CheckResponse {
    let ok = OkHttpResponse {
        headers: vec![
            header("x-postern-key-id", id),
            header("x-postern-owner", "bench"),
            header("x-postern-scheme", "postern"),
            header("x-postern-environment", "live"),
            header("x-postern-permissions", "read,write"),
        ],
        headers_to_remove: vec!["authorization".to_string()],
        ..OkHttpResponse::default()
    };
    answer(0, HttpResponse::OkResponse(ok))
}

fn denied() -> CheckResponse {
    let denied = DeniedHttpResponse {
        status: Some(HttpStatus { code: 401 }),
        headers: vec![header("www-authenticate", "Bearer"), header("content-type", "application/json")],
        body: DENIED_BODY.to_string(),
    };
    answer(UNAUTHENTICATED, HttpResponse::DeniedResponse(denied))
}

fn answer(code: i32, response: HttpResponse) -> CheckResponse {
    CheckResponse {
        status: Some(Status { code, ..Status::default() }),
        dynamic_metadata: None,
        http_response: Some(response),
    }
}

fn header(key: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: key.to_string(),
            value: value.to_string(),
            ..HeaderValue::default()
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}
