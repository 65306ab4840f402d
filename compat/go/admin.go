// Admin calls of the client: topics made, listed and removed, and the groups a broker knows.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func adminCreateTopic(t *T) {
	topic := t.topic()
	t.createTopic(topic, 6)
	a := t.admin()
	list, err := a.FetchAllTopicList(background)
	t.ok(err, "topic list")
	t.check(contains(list.TopicList, topic), "%s is not among the %d topics", topic, len(list.TopicList))
	used := map[int]bool{}
	p := t.producer()
	for _, result := range t.sendBodies(p, topic, numbered("m", 12)) {
		used[result.MessageQueue.QueueId] = true
	}
	t.equal(len(used), 6, "queues used")

	// Created again with more queues, the topic has them and keeps its messages. The client keeps the first route it is told, so the name
	// server must know the new one when the broker answers.
	broker := t.storeHost(t.sendTo(p, primitive.NewMessage(topic, []byte("one more"))).OffsetMsgID)
	t.ok(a.CreateTopic(background, admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(broker),
		admin.WithReadQueueNums(9), admin.WithWriteQueueNums(9)), "create topic again")
	t.untilRoutes(a, topic, 9)
	t.equal(len(t.stored(topic, 13)), 13, "messages kept")
}

func adminDeleteTopic(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	broker := t.storeHost(t.sendTo(p, primitive.NewMessage(topic, []byte("gone"))).OffsetMsgID)
	a := t.admin()
	t.ok(a.DeleteTopic(background, admin.WithTopicDelete(topic), admin.WithBrokerAddrDelete(broker),
		admin.WithNameSrvAddr(nameServers())), "delete topic")
	t.until(func() bool {
		list, err := a.FetchAllTopicList(background)
		t.ok(err, "topic list")
		return !contains(list.TopicList, topic)
	}, topic+" gone from the topic list", func() string { return "still there" })

	// Created again, it starts empty.
	t.createTopic(topic, 1)
	t.equal(t.sendTo(t.producer(), primitive.NewMessage(topic, []byte("anew"))).QueueOffset, int64(0), "offset in the new topic")
	t.sameBodies(bodiesOf(t.stored(topic, 1)), []string{"anew"}, "messages of the new topic")
}

// A topic is deleted and made again under consumers that have read all of it: they get every new message, also where a new queue soon is
// longer than the old one was. With Java they miss some.
func adminTopicMadeAgain(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	old := numbered("old", 4)
	broker := t.storeHost(t.sendBodies(p, topic, old)[0].OffsetMsgID)
	inboxes := map[string]*Inbox{}
	_, inboxes["clustering"] = t.push(topic)
	_, inboxes["broadcasting"] = t.push(topic, consumer.WithGroupName(t.group()+"-all"), consumer.WithConsumerModel(consumer.BroadCasting))
	_, inboxes["in order"] = t.push(topic, consumer.WithGroupName(t.group()+"-order"), consumer.WithConsumerOrder(true))
	for name, inbox := range inboxes {
		t.untilBodies(inbox, old, "old messages, "+name)
	}
	a := t.admin()
	t.ok(a.DeleteTopic(background, admin.WithTopicDelete(topic), admin.WithBrokerAddrDelete(broker),
		admin.WithNameSrvAddr(nameServers())), "delete topic")
	t.ok(a.CreateTopic(background, admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(broker),
		admin.WithReadQueueNums(4), admin.WithWriteQueueNums(4)), "create topic again")
	fresh := numbered("new", 20)
	t.sendBodies(p, topic, fresh)
	if os.Getenv("COMPAT_TARGET") == "java" {
		return
	}
	for name, inbox := range inboxes {
		t.until(func() bool {
			seen := distinct(inbox.bodies())
			for _, body := range fresh {
				if !seen[body] {
					return false
				}
			}
			return true
		}, "new messages, "+name, func() string { return brief(inbox.bodies()) })
	}
}

func adminGroups(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	broker := t.storeHost(t.sendTo(p, primitive.NewMessage(topic, []byte("x"))).OffsetMsgID)
	_, inbox := t.push(topic, consumer.WithGroupName(t.group()))
	t.untilBodies(inbox, []string{"x"}, "the message")
	groups, err := t.admin().GetAllSubscriptionGroup(background, broker, 3*time.Second)
	t.ok(err, "subscription groups")
	for _, name := range []string{t.group(), "TOOLS_CONSUMER", "SELF_TEST_C_GROUP", "CID_RMQ_SYS_TRANS"} {
		config, known := groups.SubscriptionGroupTable[name]
		t.check(known, "group %s is not among the %d groups", name, len(groups.SubscriptionGroupTable))
		t.equal(config.GroupName, name, "name in the configuration")
		t.equal(fmt.Sprintf("%v %v %d %d", config.ConsumeEnable, config.ConsumeBroadcastEnable, config.RetryMaxTimes, config.RetryQueueNums),
			"true true 16 1", "configuration of "+name)
	}
}
