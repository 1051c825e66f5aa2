-- When the proof of a subkey expires: from then on it signs for nobody. NULL: the key is the user's main key.
ALTER TABLE signers ADD COLUMN until bigint;

-- Of subkeys that logged in before, the proof may be unknown: they show it again at the next login.
UPDATE signers SET until = 0 WHERE key <> user_key;
