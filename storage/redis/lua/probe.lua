-- Whether the server takes writes now: a full, failing or read-only one refuses the first line.
redis.call('HSET', KEYS[1], 'probe', '1')
return redis.call('HDEL', KEYS[1], 'probe')
