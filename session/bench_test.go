package session_test

import (
	"fmt"
	"runtime"
	"testing"

	"cardbridge/session"
)

// Benchmarks by the number of sessions that are open beside, in four applications. None of them is a test: see
// cost_test.go for what must hold.
//
//	go test -run - -bench . -benchtime 1s ./session

var sizes = []int{1, 1_000, 100_000, 1_000_000}

func bySize(b *testing.B, run func(b *testing.B, apps []*session.Application)) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("open=%d", n), func(b *testing.B) {
			apps := crowd(b, twoSlots(), 4, n)
			runtime.GC()
			b.ReportAllocs()
			b.ResetTimer()
			run(b, apps)
			b.StopTimer()
			runtime.KeepAlive(apps)
		})
	}
}

func must(b *testing.B, err error) {
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkOpenClose(b *testing.B) {
	bySize(b, func(b *testing.B, apps []*session.Application) {
		for i := range b.N {
			a := apps[i%len(apps)]
			h, err := a.OpenSession(1, rw, nil)
			must(b, err)
			must(b, a.CloseSession(h))
		}
	})
}

func BenchmarkSessionInfo(b *testing.B) {
	bySize(b, func(b *testing.B, apps []*session.Application) {
		h, err := apps[0].OpenSession(1, rw, nil)
		must(b, err)
		for b.Loop() {
			_, err := apps[0].SessionInfo(h)
			must(b, err)
		}
	})
}

// On all cores at once: run with -cpu 1,2,4 to see how it scales.
func BenchmarkSessionInfoParallel(b *testing.B) {
	bySize(b, func(b *testing.B, apps []*session.Application) {
		h, err := apps[0].OpenSession(1, rw, nil)
		must(b, err)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := apps[0].SessionInfo(h); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

func BenchmarkObjectParallel(b *testing.B) {
	bySize(b, func(b *testing.B, apps []*session.Application) {
		h, err := apps[0].OpenSession(1, rw, nil)
		must(b, err)
		o, err := apps[0].CreateObject(h, session.PublicSessionObject, func() (session.Object, error) { return &thing{}, nil })
		must(b, err)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := apps[0].Object(h, o); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

func BenchmarkLoginLogout(b *testing.B) {
	bySize(b, func(b *testing.B, apps []*session.Application) {
		h, err := apps[0].OpenSession(1, rw, nil)
		must(b, err)
		for b.Loop() {
			must(b, apps[0].Login(h, session.CKU_USER, good))
			must(b, apps[0].Logout(h))
		}
	})
}

func BenchmarkFind(b *testing.B) {
	bySize(b, func(b *testing.B, apps []*session.Application) {
		h, err := apps[0].OpenSession(1, rw, nil)
		must(b, err)
		for b.Loop() {
			must(b, apps[0].FindInit(h, anything))
			_, err := apps[0].Find(h, 10)
			must(b, err)
			must(b, apps[0].FindFinal(h))
		}
	})
}

func BenchmarkDigest(b *testing.B) {
	bySize(b, func(b *testing.B, apps []*session.Application) {
		h, err := apps[0].OpenSession(1, rw, nil)
		must(b, err)
		for b.Loop() {
			must(b, apps[0].Begin(h, session.OpDigest, 0, nothing))
			must(b, apps[0].Finish(h, session.OpDigest, works))
		}
	})
}

// What a garbage collection costs beside so many sessions.
func BenchmarkCollect(b *testing.B) {
	bySize(b, func(b *testing.B, _ []*session.Application) {
		for b.Loop() {
			runtime.GC()
		}
	})
}

// The next ones tell the time for each session or object that has to go.

func BenchmarkFinalizeSessions(b *testing.B) {
	for _, n := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("open=%d", n), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				a := crowd(b, twoSlots(), 1, n)[0]
				b.StartTimer()
				must(b, a.CloseAllSessions(0))
				must(b, a.Close())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/session")
		})
	}
}

func BenchmarkCloseWithObjects(b *testing.B) {
	for _, n := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("objects=%d", n), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				a := crowd(b, twoSlots(), 1, 1)[0]
				h, err := a.OpenSession(0, rw, nil)
				must(b, err)
				for range n {
					_, err := a.CreateObject(h, session.PublicSessionObject, func() (session.Object, error) { return thing{}, nil })
					must(b, err)
				}
				b.StartTimer()
				must(b, a.CloseSession(h))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/object")
		})
	}
}

func BenchmarkRemoval(b *testing.B) {
	for _, n := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("open=%d", n), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				m := twoSlots()
				apps := crowd(b, m, 4, n)
				b.StartTimer()
				m.Remove(0)
				m.Remove(1)
				b.StopTimer()
				runtime.KeepAlive(apps)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/session")
		})
	}
}
