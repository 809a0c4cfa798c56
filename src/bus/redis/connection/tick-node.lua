-- Publishes a tick through a node of a Cluster. Without declared keys, so that the node runs it even while the channel's slot is on its
-- way to another node. A Cluster that is down would take ticks and nothing else: the node is asked for a key to find out.
--
-- ARGV: 1 channel
-- Returns the process of Redis, whether it publishes to its own subscribers alone (1), and ''.

local answer = redis.pcall('EXISTS', ARGV[1])
if type(answer) == 'table' and string.find(answer.err or '', 'is down', 1, true) then return answer end
local isSharded = publishSharded(ARGV[1], nowPosition())
return {epochOf(serverInfo()), isSharded, ''}
