# Where the service is, for `portico` on the command line. The same paths as in portico.service.
export PORTICO_CONFIG=/etc/portico/portico.toml
export PORTICO_RELAYS=/etc/portico/relays.toml
export PORTICO_KEY_FILE=/etc/portico/service.key
export PORTICO_DATA_DIR=/var/lib/portico
export PORTICO_SOCKET=/run/portico.sock
