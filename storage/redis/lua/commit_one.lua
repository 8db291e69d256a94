local answer, write = prepare(KEYS, ARGV)
return answer or write()
