-- What the figures of routes ask for.
get "/plain" { function() return "plain\n" end }
