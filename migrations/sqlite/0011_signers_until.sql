-- When the proof of a subkey expires: from then on it signs for nobody. NULL: the key is the user's main key.
ALTER TABLE signers ADD COLUMN until INTEGER;

-- Of subkeys that logged in before, only some proofs are known. The others have expired: they show their proof again at
-- the next login.
UPDATE signers SET until = coalesce(
    (SELECT CASE WHEN json_valid(proof)
         THEN min(CAST(json_extract(proof, '$.metadata.expires_at') AS INTEGER), 9000000000000) * 1000 END
     FROM subkeys WHERE subkeys.user = signers.user AND subkeys.key = signers.key),
    0)
WHERE key <> user;
