package program

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/checks/survey"
	"redis-vip/cmd/internal/config"
	"redis-vip/cmd/internal/history"
	"redis-vip/cmd/internal/metrics"
	"redis-vip/hooks"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"
)

// A bulletin is what a run has to say to those who are not there: an operator later
// on, and node_exporter.
type bulletin struct {
	Entry   *history.Entry `json:"entry,omitempty"`   // nil: nothing has changed
	Metrics metrics.List   `json:"metrics,omitempty"` // nil: nobody asks, or it was said a moment ago
}

// metricsEvery is how old metrics may be while nothing changes. Prometheus asks for
// them every 15 s or so.
const metricsEvery = 5 * time.Second

func textfileFlag() cli.Flag {
	return &cli.StringFlag{Name: "textfile", EnvVars: []string{"REDIS_VIP_TEXTFILE"}, Usage: "write metrics for node_exporter to `PATH`: a file that ends in .prom, or the folder of one for each group"}
}

// history is that of the group on this host.
func (s seat) history() history.Log { return past(s.Group) }

func past(g config.Group) history.Log {
	return history.Log{Path: filepath.Join(g.StateDir, g.Name+".history")}
}

// enter puts the run of a hook into the history.
func (s seat) enter(log zerolog.Logger) func(history.Entry) {
	return func(e history.Entry) { s.tellAll(log, "", bulletin{Entry: &e}) }
}

// bulletinDetached has another process publish what a check saw: the disk may keep it
// waiting, and a health check must not be. Mostly there is nothing to say.
func (s seat) bulletinDetached(c *cli.Context, entry *history.Entry, f checks.Facts, v checks.Verdict) error {
	b := bulletin{Entry: entry}
	if c.String("textfile") != "" && (entry != nil || s.metricsAreOld()) {
		b.Metrics = s.metrics(f, v)
	}
	if b.Entry == nil && b.Metrics == nil {
		return nil
	}
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return detach(c, RedisCheck, "--textfile="+c.String("textfile"), "--bulletin", string(text))
}

// publish is that process.
func (s seat) publish(log zerolog.Logger, textfile, text string) error {
	var b bulletin
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return usage("--bulletin: %w", err)
	}
	s.tellAll(log, textfile, b)
	return nil
}

// tellAll publishes. What cannot be written is logged when that changes.
func (s seat) tellAll(log zerolog.Logger, textfile string, b bulletin) {
	var failed error
	if b.Entry != nil {
		failed = s.history().Append(*b.Entry)
	}
	if b.Metrics != nil {
		failed = errors.Join(failed, s.expose(textfile, b.Metrics), survey.Mark(s.file(".metrics")))
	}
	now := ""
	if failed != nil {
		now = oneLine([]error{failed})
	}
	before, _ := survey.Read(s.file(".bulletin"))
	if now == string(before) {
		return
	}
	survey.Replace(s.file(".bulletin"), []byte(now), false) // lost, it costs a line in the log
	if now != "" {
		log.Warn().Str("group", s.Name).Str("problem", now).Msg("what was seen cannot be written down for others: " + now)
	}
}

// exposeRun writes what a run under Sentinel saw. That one is no health check, and may
// wait for the disk.
func (s seat) exposeRun(log zerolog.Logger, textfile string, r *hooks.Record) {
	if textfile == "" || r.Outcome == hooks.AlreadyRunning || len(r.Actions) == 0 && !s.metricsAreOld() {
		return
	}
	list := s.metrics(r.Facts, r.Verdict)
	list.Info(metrics.Course, "course", r.Course.String())
	list.Set(metrics.Reconciled, metrics.Truth(r.Outcome == hooks.Done))
	s.tellAll(log, textfile, bulletin{Metrics: list})
}

func (s seat) metricsAreOld() bool {
	info, err := os.Stat(s.file(".metrics"))
	return err != nil || !checks.Within(metricsEvery, info.ModTime(), time.Now())
}

// metrics are those that a run knows by itself.
func (s seat) metrics(f checks.Facts, v checks.Verdict) metrics.List {
	list := metrics.Of(f, v, time.Now())
	list.Info(metrics.Build, "version", Version)
	list.Set(metrics.Fenced, metrics.Truth(s.fenced().IsSet()))
	return list
}

// expose adds what lies on the disk, and writes the file.
func (s seat) expose(place string, list metrics.List) error {
	path, err := metrics.Path(place, s.Name)
	if err != nil {
		return err
	}
	files, failed := store(s.Group).List()
	if failed == nil {
		list.Set(metrics.Waiting, float64(waiting(files)))
	}
	entries, err := s.history().Read()
	if n := len(entries); n > 0 {
		list.Time(metrics.Transition, entries[n-1].At)
	}
	return errors.Join(failed, err, metrics.Write(path, list.Text(s.Name, s.self.String())))
}

// turned is a verdict that differs from the last one, as an entry of the history.
func turned(before string, f checks.Facts, v checks.Verdict, now time.Time) *history.Entry {
	return &history.Entry{
		At: now, Program: string(RedisCheck), VIP: place(f.VIP), From: standing(before), To: standing(state(v)),
		Reason: v.Reason.String(), MS: milliseconds(f.Took), Note: cmp.Or(f.Problem, v.Reason.Sentence()),
	}
}

// state names a verdict in the file of the last one.
func state(v checks.Verdict) string {
	if v.Drift {
		return v.Reason.String() + " drift"
	}
	return v.Reason.String()
}

// standing says what a state comes to; empty where it is none.
func standing(state string) string {
	name, drift := strings.CutSuffix(state, " drift")
	var reason checks.Reason
	if reason.UnmarshalText([]byte(name)) != nil {
		return ""
	}
	word := "unfit"
	if reason.Fit() {
		word = "fit"
	}
	if drift {
		word += ", drift"
	}
	return word
}

// done is the run of a hook, as an entry of the history.
func done(r *hooks.Record, now time.Time) history.Entry {
	program, event, _ := strings.Cut(r.Event, " ")
	e := history.Entry{
		At: now, Program: program, Event: event, VIP: place(r.Facts.VIP), To: r.Facts.Role.String(),
		Reason: r.Verdict.Reason.String(), Outcome: r.Outcome.String(), MS: milliseconds(r.Took),
	}
	if r.Course != checks.Undecidable {
		e.Reason = r.Course.String()
	}
	if r.Before != node.NoRole {
		e.From = r.Before.String()
	}
	if r.Facts.Role == node.NoRole {
		e.To = r.Facts.Class.String()
	}
	for _, f := range r.Preserved {
		if f.Path != "" {
			e.Preserved = append(e.Preserved, f.Path)
		}
	}
	if why := append([]error{r.Err}, r.Warnings...); errors.Join(why...) != nil {
		e.Note = oneLine(why)
	}
	return e
}

// remark puts into the history what a person asked for, and what came of it.
func (s seat) remark(c *cli.Context, start time.Time, err error) {
	e := history.Entry{
		At: time.Now(), Program: string(RedisVIP), Event: strings.Join(append([]string{c.Command.Name}, c.Args().Slice()...), " "),
		VIP: place(s.where()), To: hooks.Done.String(), Reason: "asked", Outcome: hooks.Done.String(), MS: milliseconds(time.Since(start)),
	}
	if err != nil {
		e.To, e.Outcome, e.Note = hooks.Failed.String(), hooks.Failed.String(), oneLine([]error{err})
	}
	if err := s.history().Append(e); err != nil {
		fmt.Fprintf(c.App.ErrWriter, "the history lacks this: %v\n", err)
	}
}

func place(p checks.Presence) string {
	if p == checks.Unasked {
		return ""
	}
	return p.String()
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
