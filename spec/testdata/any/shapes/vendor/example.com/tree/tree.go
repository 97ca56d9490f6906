// Package tree has things of types that only others name, and generic ones with long shapes.
package tree

import "example.com/tree/internal/impl"

type Extension = impl.Extension

func New(name string, next *Extension) Extension { return impl.New(name, next) }

// Node shows its type argument's every field in its shape, whose name is too long to be spelled out.
type Node[T any] struct {
	Value T
	Left  *Node[T]
	Right *Node[T]
}

func (n *Node[T]) Insert(v T, less func(a, b T) bool) *Node[T] {
	if n == nil {
		return &Node[T]{Value: v}
	}
	if less(v, n.Value) {
		n.Left = n.Left.Insert(v, less)
	} else {
		n.Right = n.Right.Insert(v, less)
	}
	return n
}

func (n *Node[T]) Walk(visit func(T)) {
	if n != nil {
		n.Left.Walk(visit)
		visit(n.Value)
		n.Right.Walk(visit)
	}
}
