//! A tenant that is simulated, in a thread of the test.

use std::net::SocketAddr;

use lockstep::connectors::cxone::{AccessKey, Login, Way};
use lockstep::simulators::cxone::{Credentials, Settings, Simulator, serve};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::serving::{Serving, anywhere};

/// A tenant that is simulated.
pub(crate) type Simulated = Serving<()>;

pub(crate) fn login(api: SocketAddr, by_key_alone: bool) -> Login {
    let Credentials { client_id, client_secret, access_key_id: id, access_key_secret } =
        Credentials::default();
    Login {
        issuer: format!("http://{api}").parse().unwrap(),
        key: AccessKey { id, secret: SecretString::from(access_key_secret) },
        way: if by_key_alone {
            Way::AccessKey { area: "na1".to_owned() }
        } else {
            Way::Application { client_id, client_secret: SecretString::from(client_secret) }
        },
    }
}

impl Simulated {
    pub(crate) fn new(settings: Settings) -> Simulated {
        Serving::start(|tell, until| async move {
            let simulator = Simulator::bind(settings, anywhere()).await.unwrap();
            tell.send((simulator.addresses().unwrap(), ())).unwrap();
            serve(simulator, async { until.await.unwrap_or(()) }).await.unwrap();
        })
    }

    /// He is in it from now on.
    pub(crate) fn put(&self, agent: u32, state: u8, out_state: Option<i32>) {
        let body = json!({"agentStateId": state, "outStateId": out_state});
        self.control("POST", &format!("/agents/{agent}/state"), &body);
    }

    pub(crate) fn shown(&self, agent: u32) -> (u64, Option<i64>) {
        let shown = self.control("GET", &format!("/agents/{agent}"), &Value::Null);
        (shown["agentStateId"].as_u64().unwrap(), shown["outStateId"].as_i64())
    }
}
