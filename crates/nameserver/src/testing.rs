//! A NameServer that is asked without sockets, on a simulated disk and a clock that stands still: for models, and for tests that
//! no script can express.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use roxmq_config::{Origin, Setting, load};
use roxmq_env::clock::Clock;
use roxmq_env::disk::{Disk, SimDisk};
use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header::{self, Top};
use roxmq_remoting::{Call, Peer, Ticket};
use tokio::sync::mpsc;

use crate::nameserver::{NOTICES_MAX, NameServer};
use crate::routes;
use crate::settings::NameServerConfig;
use crate::table::{ChannelId, MinIdChange};

/// A NameServer, and connections by name.
pub(crate) struct Direct {
    pub(crate) server: NameServer,
    pub(crate) notices: mpsc::Receiver<MinIdChange>,
    clock: Clock,
    settings: Vec<Setting>,
    disk: Disk,
    channels: BTreeMap<String, ChannelId>,
    /// Where requests come from and which address they dialled.
    pub(crate) ends: (IpAddr, IpAddr),
}

impl Direct {
    pub(crate) fn new(settings: &[(&str, &str)]) -> Direct {
        let setting = |(key, value): &(&str, &str)| Setting { key: (*key).into(), value: (*value).into(), origin: Origin::Argument };
        let settings: Vec<Setting> = settings.iter().map(setting).collect();
        let (clock, disk) = (Clock::manual(0), SimDisk::new(1).disk());
        let (server, notices) = Direct::start(&settings, &clock, &disk);
        let ends = (Ipv4Addr::new(192, 168, 1, 77).into(), Ipv4Addr::new(192, 168, 1, 5).into());
        Direct { server, notices, clock, settings, disk, channels: BTreeMap::new(), ends }
    }

    fn start(settings: &[Setting], clock: &Clock, disk: &Disk) -> (NameServer, mpsc::Receiver<MinIdChange>) {
        let loaded = load::<NameServerConfig>(settings).unwrap();
        assert_eq!(loaded.notices, []);
        let (sender, notices) = mpsc::channel(NOTICES_MAX);
        (NameServer::open(loaded.config, None, clock.clone(), disk.clone(), sender).unwrap(), notices)
    }

    pub(crate) fn restart(&mut self) {
        self.server.save_brokers().unwrap();
        (self.server, self.notices) = Direct::start(&self.settings, &self.clock, &self.disk);
        self.channels.values_mut().for_each(|channel| *channel += 1_000_000);
    }

    fn channel(&mut self, name: &str) -> ChannelId {
        let next = self.channels.len() as ChannelId + 1;
        *self.channels.entry(name.to_owned()).or_insert(next)
    }

    pub(crate) fn close(&mut self, name: &str) {
        let channel = self.channel(name);
        self.server.channel_lost(channel);
    }

    pub(crate) fn wait(&mut self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
        self.server.scan();
    }

    /// One request, `<connection> <code> field=value..`; the answer as in scripts.
    pub(crate) fn ask(&mut self, request: &str, body: impl AsRef<[u8]>) -> String {
        let mut words = request.split(' ');
        let channel = self.channel(words.next().unwrap());
        let code: i32 = words.next().unwrap().parse().unwrap();
        let fields: BTreeMap<&str, &str> = words.map(|word| word.split_once('=').unwrap()).collect();
        let mut sent = Vec::new();
        let all = |sink: &mut header::FieldSink<'_>| fields.iter().for_each(|(key, value)| sink.text(key, value));
        header::write_frame(&mut sent, Encoding::Json, Top::request(1, code, false), all, body.as_ref());
        let frame = frame::split(&sent).unwrap().unwrap();
        let header = header::read(&frame).unwrap();
        let (remote, local) = self.ends;
        let peer = Peer::unconnected(channel, SocketAddr::new(remote, 1), SocketAddr::new(local, 2));
        shown(routes::answer(&self.server, &Call { header: &header, body: frame.body, peer: &peer }))
    }
}

fn shown(answer: roxmq_remoting::Answer) -> String {
    let mut frame = Vec::new();
    answer.write(Ticket { opaque: 1, encoding: Encoding::Json, oneway: false }, &mut frame);
    let frame = frame::split(&frame).unwrap().unwrap();
    let header = header::read(&frame).unwrap();
    let fields: BTreeMap<_, _> = header.fields.iter().collect();
    let mut shown = format!("< {}", header.code);
    fields.iter().for_each(|(key, value)| shown.push_str(&format!(" {key}={value}")));
    if let Some(remark) = header.remark.filter(|_| header.code != 0) {
        shown.push_str(&format!(" | {}", serde_json::to_string(&remark.unescape()).unwrap()));
    }
    if !frame.body.is_empty() {
        shown.push_str(&format!("\n< {}", String::from_utf8_lossy(frame.body)));
    }
    shown
}
