//! An org that is simulated, in a thread of the test.

use lockstep::simulators::salesforce::{Org, Settings, Simulator, serve};

use crate::serving::{Serving, anywhere};

/// An org that is simulated. The test has it as browsers in the same process do.
pub(crate) type SimulatedOrg = Serving<Org>;

impl SimulatedOrg {
    pub(crate) fn new(settings: Settings) -> SimulatedOrg {
        Serving::start(|tell, until| async move {
            let simulator = Simulator::bind(settings, anywhere()).await.unwrap();
            tell.send((simulator.addresses().unwrap(), simulator.org())).unwrap();
            serve(simulator, async { until.await.unwrap_or(()) }).await.unwrap();
        })
    }
}
