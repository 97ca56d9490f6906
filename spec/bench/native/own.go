package native

import (
	"math"
	"slices"
)

// random is the linear congruential generator that the Computer Language Benchmarks Game made popular.
type random uint32

func (r *random) next(max float64) float64 {
	*r = (*r*3877 + 29573) % 139968
	return max * float64(*r) / 139968
}

func fold(sum uint64, data []byte) uint64 {
	for _, b := range data {
		sum = (sum ^ uint64(b)) * 1099511628211
	}
	return sum
}

// ---- allocation ---------------------------------------------------------------------------------------------------

type tree struct{ left, right *tree }

func grow(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{grow(depth - 1), grow(depth - 1)}
}

func (t *tree) count() uint64 {
	if t.left == nil {
		return 1
	}
	return 1 + t.left.count() + t.right.count()
}

func binaryTrees() (sum uint64) {
	const depth = 14
	long := grow(depth)
	for d := 4; d <= depth; d += 2 {
		for i := 0; i < 1<<(depth-d+2); i++ {
			sum += grow(d).count()
		}
	}
	return sum + long.count()
}

// ---- arithmetic ---------------------------------------------------------------------------------------------------

func fannkuch() uint64 {
	const n = 9
	var first, now, count [n]int
	for i := range first {
		first[i] = i
	}
	most, check, r, nth := 0, 0, n, 0
	for {
		for ; r != 1; r-- {
			count[r-1] = r
		}
		flips := 0
		now = first
		for k := now[0]; k != 0; k = now[0] {
			for i, j := 0, k; i < j; i, j = i+1, j-1 {
				now[i], now[j] = now[j], now[i]
			}
			flips++
		}
		most = max(most, flips)
		if nth++; nth%2 == 1 {
			check += flips
		} else {
			check -= flips
		}
		for ; ; r++ {
			if r == n {
				return uint64(most)<<32 + uint64(check)
			}
			head := first[0]
			copy(first[:r], first[1:r+1])
			first[r] = head
			if count[r]--; count[r] > 0 {
				break
			}
		}
	}
}

type body struct{ x, y, z, vx, vy, vz, mass float64 }

func nBody() uint64 {
	const sun, year = 4 * math.Pi * math.Pi, 365.24
	bodies := []body{
		{0, 0, 0, 0, 0, 0, sun},
		{4.84143144246472090, -1.16032004402742839, -0.103622044471123109,
			0.00166007664274403694 * year, 0.00769901118419740425 * year, -0.0000690460016972063023 * year,
			0.000954791938424326609 * sun},
		{8.34336671824457987, 4.12479856412430479, -0.403523417114321381,
			-0.00276742510726411136 * year, 0.00499852801234917238 * year, 0.0000230417297573763929 * year,
			0.000285885980666130812 * sun},
		{12.8943695621391310, -15.1111514016986312, -0.223307578892655734,
			0.00296460137564761618 * year, 0.00237847173959480950 * year, -0.0000296589568540237556 * year,
			0.0000436624404335156298 * sun},
		{15.3796971148509165, -25.9193146099879641, 0.179258772950371181,
			0.00268067772490389322 * year, 0.00162824170038242295 * year, -0.0000951592254519715870 * year,
			0.0000515138902046611451 * sun},
	}
	for step := 0; step < 250000; step++ {
		for i := range bodies {
			a := &bodies[i]
			for k := i + 1; k < len(bodies); k++ {
				b := &bodies[k]
				dx, dy, dz := a.x-b.x, a.y-b.y, a.z-b.z
				square := dx*dx + dy*dy + dz*dz
				factor := 0.01 / (square * math.Sqrt(square))
				a.vx -= dx * b.mass * factor
				a.vy -= dy * b.mass * factor
				a.vz -= dz * b.mass * factor
				b.vx += dx * a.mass * factor
				b.vy += dy * a.mass * factor
				b.vz += dz * a.mass * factor
			}
		}
		for i := range bodies {
			b := &bodies[i]
			b.x += 0.01 * b.vx
			b.y += 0.01 * b.vy
			b.z += 0.01 * b.vz
		}
	}
	return math.Float64bits(bodies[0].x + bodies[4].z)
}

func element(i, k int) float64 { return 1 / float64((i+k)*(i+k+1)/2+i+1) }

func multiplied(v []float64, at func(i, k int) float64) []float64 {
	result := make([]float64, len(v))
	for i := range result {
		for k := range v {
			result[i] += at(i, k) * v[k]
		}
	}
	return result
}

func spectralNorm() uint64 {
	u := make([]float64, 400)
	for i := range u {
		u[i] = 1
	}
	var v []float64
	transposed := func(i, k int) float64 { return element(k, i) }
	for i := 0; i < 10; i++ {
		v = multiplied(multiplied(u, element), transposed)
		u = multiplied(multiplied(v, element), transposed)
	}
	var above, below float64
	for i := range u {
		above += u[i] * v[i]
		below += v[i] * v[i]
	}
	return math.Float64bits(math.Sqrt(above / below))
}

func mandelbrot() (sum uint64) {
	const size, limit = 400, 50
	for y := 0; y < size; y++ {
		for x := 0; x < size; x++ {
			c := complex(2*float64(x)/size-1.5, 2*float64(y)/size-1)
			z, i := c, 0
			for ; i < limit && real(z)*real(z)+imag(z)*imag(z) <= 4; i++ {
				z = z*z + c
			}
			sum += uint64(i)
		}
	}
	return sum
}

func matrix() uint64 {
	const n = 200
	r := random(42)
	var a, b, c [n][n]float64
	for i := range a {
		for k := range a[i] {
			a[i][k], b[i][k] = r.next(1), r.next(1)
		}
	}
	for round := 0; round < 3; round++ {
		for i := range a {
			for j := range b {
				var sum float64
				for k := range a[i] {
					sum += a[i][k] * b[k][j]
				}
				c[i][j] += sum
			}
		}
	}
	return math.Float64bits(c[1][2] + c[n-1][n-2])
}

// ---- bytes, maps, calls -------------------------------------------------------------------------------------------

func fasta() (sum uint64) {
	letters := []byte("acgtBDHKMNRSVWY")
	chances := []float64{.27, .12, .12, .27, .02, .02, .02, .02, .02, .02, .02, .02, .02, .02, .02}
	r := random(42)
	line := make([]byte, 60)
	for i := 0; i < 25000; i++ {
		for k := range line {
			value, at := r.next(1), 0
			for at < len(chances)-1 && value >= chances[at] {
				value -= chances[at]
				at++
			}
			line[k] = letters[at]
		}
		sum = fold(sum, line)
	}
	return sum
}

var complement = func() (table [256]byte) {
	from, to := "acgtACGT", "TGCATGCA"
	for i := range from {
		table[from[i]] = to[i]
	}
	return table
}()

func reverseComplement() (sum uint64) {
	r := random(42)
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = "acgtACGT"[int(r.next(8))]
	}
	for round := 0; round < 12; round++ {
		for i, k := 0, len(data)-1; i < k; i, k = i+1, k-1 {
			data[i], data[k] = complement[data[k]], complement[data[i]]
		}
	}
	return fold(sum, data)
}

func words() (sum uint64) {
	r := random(42)
	count := map[string]int{}
	squares := map[int]int{}
	word := make([]byte, 4)
	for i := 0; i < 200000; i++ {
		for k := range word {
			word[k] = 'a' + byte(r.next(12))
		}
		count[string(word)]++
		squares[i*i&0xffff] += i
	}
	for word, n := range count {
		sum += uint64(len(word) * n)
	}
	for _, n := range squares {
		sum += uint64(n)
	}
	return sum
}

type shape interface {
	area() float64
	scaled(factor float64) shape
}

type (
	circle    struct{ radius float64 }
	square    struct{ side float64 }
	rectangle struct{ width, height float64 }
)

func (c *circle) area() float64    { return c.radius * c.radius * math.Pi }
func (s *square) area() float64    { return s.side * s.side }
func (r *rectangle) area() float64 { return r.width * r.height }

func (c *circle) scaled(factor float64) shape    { c.radius *= factor; return c }
func (s *square) scaled(factor float64) shape    { s.side *= factor; return s }
func (r *rectangle) scaled(factor float64) shape { r.width *= factor; return r }

func dispatch() uint64 {
	shapes := []shape{&circle{1}, &square{2}, &rectangle{3, 4}, &circle{5}, &rectangle{6, 7}}
	var sum float64
	for i := 0; i < 2000000; i++ {
		s := shapes[i%len(shapes)]
		sum += s.scaled(1.0000001).area()
		switch s := s.(type) {
		case *circle:
			sum += s.radius
		case *square:
			sum -= s.side
		}
	}
	return math.Float64bits(sum)
}

// interpreter runs a byte code: a switch in a loop, the worst that there is for a processor.
func interpreter() uint64 {
	const (
		push = iota
		add
		multiply
		xor
		shift
		swap
		drop
		duplicate
		jump
	)
	code := []byte{push, 3, push, 5, add, duplicate, multiply, push, 7, xor, swap, shift, push, 1, add, duplicate, drop, jump}
	stack := make([]uint64, 2, 16)
	for pc, steps := 0, 0; steps < 12000000; steps++ {
		top := len(stack) - 1
		switch code[pc] {
		case push:
			stack = append(stack, uint64(code[pc+1]))
			pc++
		case add:
			stack[top-1] += stack[top]
			stack = stack[:top]
		case multiply:
			stack[top-1] *= stack[top]
			stack = stack[:top]
		case xor:
			stack[top-1] ^= stack[top]
			stack = stack[:top]
		case shift:
			stack[top] = stack[top]<<7 | stack[top]>>57
		case swap:
			stack[top], stack[top-1] = stack[top-1], stack[top]
		case drop:
			stack = stack[:top]
		case duplicate:
			stack = append(stack, stack[top])
		case jump:
			stack = append(stack[:0], stack[top], stack[top-1])
			pc = -1
		}
		pc++
	}
	return stack[0]
}

func sorted() (sum uint64) {
	r := random(42)
	numbers := make([]int, 200000)
	people := make([]struct {
		name string
		age  int
	}, 60000)
	for i := range numbers {
		numbers[i] = int(r.next(1e9))
	}
	for i := range people {
		people[i].name = string(rune('a'+int(r.next(26)))) + "name"
		people[i].age = int(r.next(100))
	}
	slices.Sort(numbers)
	slices.SortFunc(people, func(a, b struct {
		name string
		age  int
	}) int {
		if a.age != b.age {
			return a.age - b.age
		}
		return int(a.name[0]) - int(b.name[0])
	})
	for i := range numbers {
		sum = sum*31 + uint64(numbers[i])
	}
	return sum + uint64(people[999].age)
}

// channels is a sieve of goroutines, one for each prime. The last of them is not the caller: a goroutine that C called is
// locked to its thread, which would be all that is measured.
func channels() uint64 {
	result := make(chan uint64)
	go func() {
		numbers := make(chan int, 64)
		go func() {
			defer close(numbers)
			for i := 2; i < 4000; i++ {
				numbers <- i
			}
		}()
		var sum uint64
		for in := numbers; ; {
			prime, more := <-in
			if !more {
				break
			}
			sum = sum*31 + uint64(prime)
			out := make(chan int, 64)
			go sift(prime, in, out)
			in = out
		}
		result <- sum
	}()
	return <-result
}

func sift(prime int, in <-chan int, out chan<- int) {
	defer close(out)
	for n := range in {
		if n%prime != 0 {
			out <- n
		}
	}
}
