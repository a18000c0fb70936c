# What lockstep.toml asks the environment for, as the simulators print it: `. ./secrets.sh`. It opens nothing else.
export LOCKSTEP_SALESFORCE_PASSWORD='simulated password/+SIMULATEDTOKEN0001'
export LOCKSTEP_SALESFORCE_CLIENT_SECRET=SIMULATEDCLIENTSECRET0001
export LOCKSTEP_CXONE_ACCESS_KEY_SECRET='SIMULATEDACCESSKEYSECRET===='
export LOCKSTEP_CXONE_CLIENT_SECRET='simulated client secret/+'
