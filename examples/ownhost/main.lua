-- A kiosk whose stock lives in the host, and outlives the code that sells from it.
local goloader = require "goloader"

local here = arg[0]:match "^(.*)/[^/]*$" or "."
local host = assert(goloader.host { path = arg[1] or here .. "/../../build/ownhost/kiosk.so" })

local function print_stock(till)
  for _, shelf in ipairs(till.Stock()) do
    print(("    %-10s %3d left, %2d sold for %.2f"):format(shelf.Article, shelf.Pieces, shelf.Sold, shelf.Taken / 100))
  end
end

local function sell(till, article, pieces)
  local cents, err = till.Sell(article, pieces)
  print(("    %d × %s: %s"):format(pieces, article, err and tostring(err) or ("%.2f"):format(cents / 100)))
end

local till = assert(host:build(here .. "/till/plain"))
print "  The plain till:"
till.Deliver("ice cream", 12)
till.Deliver("newspaper", 4)
sell(till, "ice cream", 5)
print_stock(till)

-- The other one takes over. It finds the stock as it is: both have the host's.
local successor = assert(host:build(here .. "/till/rebate"))
assert(till:unload())
print "  The till with a rebate, over the same stock:"
sell(successor, "ice cream", 5)
sell(successor, "newspaper", 5)
print_stock(successor)
assert(successor:unload())
