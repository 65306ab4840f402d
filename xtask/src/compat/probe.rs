//! Does a server answer, and does a NameServer know a broker?

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Whether something accepts connections there.
pub fn accepts(port: u16) -> bool {
    connect(port).is_some()
}

/// Whether the NameServer at `nameserver_port` names the broker at `broker_address` in the route of TBW102,
/// which is what a client needs for its first send.
pub fn routes_to(nameserver_port: u16, broker_address: &str) -> bool {
    route_of_tbw102(nameserver_port)
        .is_some_and(|body| body.windows(broker_address.len()).any(|window| window == broker_address.as_bytes()))
}

/// Body of the answer to GET_ROUTEINFO_BY_TOPIC (105), when it says anything. Frame: length, header length with the
/// serialisation type (JSON is 0) in its top byte, header, body.
fn route_of_tbw102(port: u16) -> Option<Vec<u8>> {
    let mut stream = connect(port)?;
    let header = br#"{"code":105,"extFields":{"topic":"TBW102"},"flag":0,"language":"JAVA","opaque":1,"serializeTypeCurrentRPC":"JSON","version":513}"#;
    let mut frame = Vec::new();
    frame.extend((header.len() as u32 + 4).to_be_bytes());
    frame.extend((header.len() as u32).to_be_bytes());
    frame.extend(header);
    stream.write_all(&frame).ok()?;

    let length = read_length(&mut stream)?;
    let mut answer = vec![0; length.min(ANSWER_BYTES_MAX)];
    stream.read_exact(&mut answer).ok()?;
    let header_length = u32::from_be_bytes(answer.get(..4)?.try_into().ok()?) & 0x00FF_FFFF;
    answer.get(4 + header_length as usize..).map(<[u8]>::to_vec)
}

fn read_length(stream: &mut TcpStream) -> Option<usize> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    usize::try_from(u32::from_be_bytes(length)).ok()
}

fn connect(port: u16) -> Option<TcpStream> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    Some(stream)
}

const PATIENCE: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: usize = 1 << 20;
