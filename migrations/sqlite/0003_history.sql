-- What it takes to find old streams, and what still needs them, without reading all of them.
CREATE INDEX streams_ended ON streams (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX challenges_stream ON challenges (stream);
