package host

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// To copy a process is to copy its page tables, an entry for each page: for 1 GB of pages of 4 KB that takes tens of
// milliseconds, for as much in pages of 2 MB half a millisecond. Where the kernel has not made huge pages of Go's heap
// by itself, it is asked to before the copy is made, while the world runs: of pieces nearly all of which are there, so
// that the heap takes little more memory than before. What is written to while there is a copy falls apart again, the
// rest stays so.

const hugePage = 2 << 20

// noHugePages is set where the kernel can't, or may not.
var noHugePages atomic.Bool

// joinPages makes huge pages of the heap, and of goroutines' stacks among it, where these are so large that it is worth
// it: the rest of a process is two thousand pages. What isn't done within the time that they are worth is done the next
// time.
func joinPages() {
	const worthIt, worth = 4 << 20, 500 * time.Millisecond // the latter for each GB
	const collapse, stack = 25, 4 << 10                    // MADV_COLLAPSE, since Linux 6.1; a stack, nearly
	heap := atomic.LoadUintptr((*uintptr)(rt.pages_in_use))<<uint(rt.page_shift) +
		uintptr(runtime.NumGoroutine())*stack
	if heap < worthIt || noHugePages.Load() {
		return
	}
	if enabled, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled"); err != nil ||
		bytes.Contains(enabled, []byte("[never]")) {
		noHugePages.Store(true)
		return
	}
	end := time.Now().Add(worth * time.Duration(heap>>20) >> 10)
	for _, r := range heapRanges() {
		for at := (r.low + hugePage - 1) &^ (hugePage - 1); at+hugePage <= r.low+r.size; at += hugePage {
			if time.Now().After(end) {
				return
			}
			if !areThere(at) {
				continue
			}
			if _, _, err := syscall.Syscall(syscall.SYS_MADVISE, at, hugePage, collapse); err == syscall.EINVAL {
				noHugePages.Store(true)
				return
			}
		}
	}
}

// lookAtPages has the kernel look at all page tables, while the world runs, as it does for who asks how much memory the
// process has: what it knows of each page is then in the processor's cache when the pages are copied, which takes a
// third less. A large process's would not find room there, and meanwhile nobody in it can map anything.
func lookAtPages() {
	const tooLarge = 96 << 20 // of what is in memory, C's and what is shared with other processes too
	statm, _ := os.ReadFile("/proc/self/statm")
	if sizes := bytes.Fields(statm); len(sizes) > 1 {
		pages, err := strconv.Atoi(string(sizes[1]))
		if err == nil && pages*syscall.Getpagesize() < tooLarge {
			_, _ = os.ReadFile("/proc/self/smaps_rollup")
		}
	}
}

// areThere tells whether nearly all pages of a piece have memory: seven of eight, by mincore(2).
func areThere(at uintptr) bool {
	var pages [hugePage >> 12]byte // of 4 KB, or larger ones
	if _, _, err := syscall.Syscall(syscall.SYS_MINCORE, at, hugePage, uintptr(unsafe.Pointer(&pages))); err != 0 {
		return false
	}
	count := hugePage / syscall.Getpagesize()
	return bytes.Count(pages[:count], []byte{0}) <= count/8
}

// heapRanges are the places of the address space that Go's heap may lie in: the runtime begins at one address and goes
// on from there (runtime/malloc.go, mallocinit). They may be something else's by the time that they are looked at:
// nothing is changed there but how the kernel keeps it.
func heapRanges() (ranges []region) {
	const window = 38
	here := uintptr(unsafe.Pointer(new([64]byte))) >> window
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil
	}
	for _, line := range bytes.Split(maps, []byte("\n")) {
		var low, high, offset, inode uintptr
		var rights, device string
		start, _, _ := bytes.Cut(line, []byte("-"))
		if at, err := strconv.ParseUint(string(start), 16, 64); err != nil || uintptr(at)>>window != here {
			continue // most of them
		}
		n, _ := fmt.Sscanf(string(line), "%x-%x %s %x %s %d", &low, &high, &rights, &offset, &device, &inode)
		if n == 6 && rights == "rw-p" && inode == 0 {
			ranges = append(ranges, region{low, high - low})
		}
	}
	return ranges
}
